#!/bin/sh
# Deploys one version: migrates the database, then replaces the replicas and the monitoring. The same command rolls back, with an earlier
# version: its migration changes nothing, and its replicas accept a newer schema (docs/OPERATIONS.md, "New version").
#
#   deploy/ecs/release.sh 1a2b3c4d5e6f          the tag of images that are in the registry
#
# Terraform asks before it changes anything; TF_CLI_ARGS_apply=-auto-approve answers for a pipeline.
set -eu
cd "$(dirname "$0")"
tag=${1:?usage: release.sh TAG}
export TF_VAR_image_tag="$tag"

echo "the task definition of the migration"
terraform apply -target=aws_ecs_task_definition.migrate

cluster=$(terraform output -raw cluster)
definition=$(terraform output -json migration | jq -r .task_definition)
network=$(terraform output -json migration | jq -c .network)

echo "the migration of $tag"
task=$(aws ecs run-task --cluster "$cluster" --launch-type FARGATE --task-definition "$definition" --network-configuration "$network" \
    --query 'tasks[0].taskArn' --output text)
aws ecs wait tasks-stopped --cluster "$cluster" --tasks "$task"
code=$(aws ecs describe-tasks --cluster "$cluster" --tasks "$task" --query 'tasks[0].containers[0].exitCode' --output text)
if [ "$code" != 0 ]; then
    echo "the migration failed with exit code $code, and nothing else was changed; its log: aws logs tail /$cluster/migrate" >&2
    exit 1
fi

# Waits until the new replicas are healthy. If they do not become healthy, ECS returns to the old ones, and this command fails.
echo "the services"
terraform apply
