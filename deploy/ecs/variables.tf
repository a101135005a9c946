# The settings of a deployment. terraform.tfvars.example shows them in use. Numbers that must fit those of the service are in limits.json.

variable "region" {
  description = "Region of AWS, such as eu-central-1"
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "The region must have the form of eu-central-1."
  }
}

variable "name" {
  description = "Name of the deployment and prefix of its resources; two deployments of one account need two names"
  type        = string
  default     = "vitrine"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.name))
    error_message = "The name must be 2 to 16 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "image_tag" {
  description = "Tag of all images: the short hash of the commit they were built from"
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{7,12}$", var.image_tag))
    error_message = "The tag must be the short hash of a commit: 7 to 12 hexadecimal digits. Names such as latest cannot be rolled back to."
  }
}

variable "domain" {
  description = "Host name under which clients reach the service"
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9-]+\\.)+[a-z]{2,}$", var.domain))
    error_message = "The domain must be a host name such as vitrine.example, without a scheme and without a slash."
  }
}

variable "certificate_arn" {
  description = "ARN of the domain's certificate in AWS Certificate Manager, in the same region"
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:acm:", var.certificate_arn))
    error_message = "The certificate must be an ARN of AWS Certificate Manager (arn:aws:acm:...)."
  }
}

variable "zone_id" {
  description = "Route 53 zone in which the record of the domain is created; empty if another name server has the domain"
  type        = string
  default     = ""
}

variable "serving" {
  description = "Whether tasks run. Start with false: the stores, the registry and the secrets must exist before the first task can start"
  type        = bool
  default     = true
}

variable "vpc_cidr" {
  description = "Addresses of the network, at least a /20"
  type        = string
  default     = "10.42.0.0/16"

  validation {
    condition     = can(cidrsubnet(var.vpc_cidr, 4, 15)) && try(tonumber(split("/", var.vpc_cidr)[1]) <= 20, false)
    error_message = "The network must be a CIDR block of IPv4 with a prefix of at most 20 bits, such as 10.42.0.0/16."
  }
}

variable "zones" {
  description = "Letters of the region's availability zones to use; each zone has a NAT gateway"
  type        = list(string)
  default     = ["a", "b", "c"]

  validation {
    condition     = contains([2, 3], length(distinct(var.zones))) && alltrue([for zone in var.zones : can(regex("^[a-z]$", zone))])
    error_message = "The zones must be two or three different letters: the load balancer and the stores need at least two."
  }
}

variable "database_class" {
  description = "Instance class of Postgres"
  type        = string
  default     = "db.t4g.medium"
}

variable "database_storage" {
  description = "Storage of Postgres in GiB: at the start, and the limit up to which it grows by itself"
  type        = object({ initial = number, limit = number })
  default     = { initial = 50, limit = 200 }

  validation {
    condition     = var.database_storage.initial >= 20 && var.database_storage.limit > var.database_storage.initial
    error_message = "The storage must begin with at least 20 GiB, and its limit must be higher than that."
  }
}

variable "cache_class" {
  description = "Node type of the cache"
  type        = string
  default     = "cache.t4g.small"
}

variable "log_days" {
  description = "Days for which CloudWatch keeps logs"
  type        = number
  default     = 30

  validation {
    condition     = contains([7, 14, 30, 60, 90, 180, 365], var.log_days)
    error_message = "CloudWatch accepts 7, 14, 30, 60, 90, 180 or 365 days here."
  }
}

variable "alarm_address" {
  description = "E-mail address that receives the alarms of CloudWatch; empty for none"
  type        = string
  default     = ""
}

variable "smtp" {
  description = "Mail server of Alertmanager: host and port, and the user; the password is a secret"
  type        = object({ host = string, user = string })

  validation {
    condition     = can(regex("^[a-z0-9.-]+:[0-9]+$", var.smtp.host))
    error_message = "The mail server must be a host and a port, such as smtp.example.com:587."
  }
}

variable "mail_domain" {
  description = "Domain of the addresses that alerts are sent to (page@, team@, log@, dead-man@) and of the sender of all mails"
  type        = string
}

variable "web_acl_arn" {
  description = "ARN of a web ACL (AWS WAF) for the load balancer; empty for none"
  type        = string
  default     = ""
}
