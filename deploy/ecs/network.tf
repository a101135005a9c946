# One network: public subnets hold only the load balancer and the NAT gateways, private ones the tasks and the stores.
resource "aws_vpc" "main" {
  #checkov:skip=CKV2_AWS_11:Flow logs have full addresses of clients, which no operator should see
  cidr_block           = var.vpc_cidr
  enable_dns_hostnames = true
  enable_dns_support   = true

  tags = { Name = var.name }
}

# A resource without a security group of its own would get this one: it allows nothing.
resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.main.id
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
}

resource "aws_subnet" "public" {
  count = length(var.zones)

  vpc_id            = aws_vpc.main.id
  availability_zone = "${var.region}${var.zones[count.index]}"
  cidr_block        = cidrsubnet(var.vpc_cidr, 4, count.index)

  tags = { Name = "${var.name}-public-${count.index}" }
}

resource "aws_subnet" "private" {
  count = length(var.zones)

  vpc_id            = aws_vpc.main.id
  availability_zone = "${var.region}${var.zones[count.index]}"
  cidr_block        = cidrsubnet(var.vpc_cidr, 4, 8 + count.index)

  tags = { Name = "${var.name}-private-${count.index}" }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id

  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.main.id
  }
}

resource "aws_route_table_association" "public" {
  count = length(var.zones)

  subnet_id      = aws_subnet.public[count.index].id
  route_table_id = aws_route_table.public.id
}

# Replicas reach platforms and the mail server, and all tasks reach AWS, through the gateway of their zone. So the failure of a zone
# affects only the tasks of that zone.
resource "aws_eip" "nat" {
  count = length(var.zones)

  domain = "vpc"
}

resource "aws_nat_gateway" "main" {
  count = length(var.zones)

  allocation_id = aws_eip.nat[count.index].id
  subnet_id     = aws_subnet.public[count.index].id

  depends_on = [aws_internet_gateway.main]
}

resource "aws_route_table" "private" {
  count = length(var.zones)

  vpc_id = aws_vpc.main.id

  route {
    cidr_block     = "0.0.0.0/0"
    nat_gateway_id = aws_nat_gateway.main[count.index].id
  }
}

resource "aws_route_table_association" "private" {
  count = length(var.zones)

  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = aws_route_table.private[count.index].id
}

# The layers of images come from S3: this route costs nothing, a NAT gateway charges for each byte.
resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.main.id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = aws_route_table.private[*].id
}
