# Files that outlive a task: the series of Prometheus and the silences of Alertmanager.
resource "aws_efs_file_system" "main" {
  encrypted  = true
  kms_key_id = aws_kms_key.main.arn

  # Prometheus writes a little all the time and reads much when a dashboard is opened.
  throughput_mode = "elastic"

  tags = { Name = "${var.name}-monitoring" }
}

resource "aws_efs_backup_policy" "main" {
  file_system_id = aws_efs_file_system.main.id

  backup_policy {
    status = "ENABLED"
  }
}

resource "aws_efs_mount_target" "main" {
  count = length(var.zones)

  file_system_id  = aws_efs_file_system.main.id
  subnet_id       = aws_subnet.private[count.index].id
  security_groups = [aws_security_group.role["files"].id]
}

# Each program sees only its own folder, as the user that it runs as.
resource "aws_efs_access_point" "data" {
  for_each = toset([for name, service in local.monitoring : name if service.keeps_data])

  file_system_id = aws_efs_file_system.main.id

  posix_user {
    uid = 65534
    gid = 65534
  }

  root_directory {
    path = "/${each.key}"

    creation_info {
      owner_uid   = 65534
      owner_gid   = 65534
      permissions = "0700"
    }
  }
}

data "aws_iam_policy_document" "files" {
  for_each = aws_efs_access_point.data

  statement {
    actions   = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
    resources = [aws_efs_file_system.main.arn]

    condition {
      test     = "StringEquals"
      variable = "elasticfilesystem:AccessPointArn"
      values   = [each.value.arn]
    }
  }
}

resource "aws_iam_role_policy" "files" {
  for_each = aws_efs_access_point.data

  name   = "files"
  role   = aws_iam_role.task[each.key].id
  policy = data.aws_iam_policy_document.files[each.key].json
}
