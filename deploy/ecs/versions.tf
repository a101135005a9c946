# Terraform, the provider, and where the state is kept. The syntax is that of Terraform 1.0, the oldest version that the checks use.
terraform {
  required_version = ">= 1.0.3"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # The bucket, the key and the region come from backend.hcl (README.md, "State").
  backend "s3" {
    encrypt = true
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Application = "vitrine"
      Deployment  = var.name
    }
  }
}
