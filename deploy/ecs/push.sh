#!/bin/sh
# Puts the images of one version into the registry: the published image of the replicas, and those of the edge and the monitoring, which it
# builds from this checkout. All get the short hash of the checkout's commit as their tag, which release.sh takes.
#
#   deploy/ecs/push.sh ghcr.io/owner/vitrine:1.2.3          an image of release.yml, or one that you have built and pushed
set -eu
cd "$(dirname "$0")/../.."
published=${1:?usage: push.sh IMAGE}
registry=$(terraform -chdir=deploy/ecs output -raw registry)
tag=$(git rev-parse --short=12 HEAD)
if [ -n "$(git status --porcelain)" ]; then
    echo "the checkout has changes: the tag would name a commit that does not contain them" >&2
    exit 1
fi

# The commit of an image is in its label; images must be of the same version as the files of the edge and the monitoring.
revision=$(docker buildx imagetools inspect "$published" --format '{{json .Image}}' |
    jq -r '[.. | objects | .["org.opencontainers.image.revision"]? // empty] | first // ""')
if [ "$revision" != "$(git rev-parse HEAD)" ]; then
    echo "$published is of the commit ${revision:-without a label}, not of this checkout" >&2
    exit 1
fi

aws ecr get-login-password | docker login --username AWS --password-stdin "${registry%%/*}"
# A tag cannot be pushed twice. After a failure, the images that are there already stay as they are.
is_there() { docker buildx imagetools inspect "$registry/$1:$tag" >/dev/null 2>&1; }
is_there vitrine || docker buildx imagetools create --tag "$registry/vitrine:$tag" "$published"
for target in edge prometheus blackbox-exporter alertmanager grafana runbooks; do
    ! is_there "$target" || continue
    docker buildx build --file deploy/ecs/images/Dockerfile --target "$target" --platform linux/amd64 \
        --tag "$registry/$target:$tag" --push .
done
echo "$tag"
