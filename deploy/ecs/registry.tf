# Images by the short hash of their commit. A tag never changes, so a deployment and a rollback run exactly what was tested.
locals {
  images = ["vitrine", "edge", "prometheus", "blackbox-exporter", "alertmanager", "grafana", "runbooks"]
}

resource "aws_ecr_repository" "image" {
  for_each = toset(local.images)

  name                 = "${var.name}/${each.key}"
  image_tag_mutability = "IMMUTABLE"

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = aws_kms_key.main.arn
  }
}

# Versions to roll back to. Pushing is rare enough for fifty to last for weeks.
resource "aws_ecr_lifecycle_policy" "image" {
  for_each = aws_ecr_repository.image

  repository = each.value.name
  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "Keep the newest 50 images"
      selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 50 }
      action       = { type = "expire" }
    }]
  })
}
