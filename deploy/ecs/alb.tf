# The load balancer ends TLS, spreads clients over the replicas, and keeps a browser on its replica. Everything else that the edge does
# (limits, internal routes, headers, the request id) stays with Caddy, which runs beside each replica: docs/adr/0028-ecs.md.
resource "aws_lb" "main" {
  #checkov:skip=CKV_AWS_91:Access logs have full addresses and query strings of clients, which no operator should see
  #checkov:skip=CKV2_AWS_28:web_acl_arn adds a web ACL; its rules depend on the operator and cost extra
  #checkov:skip=CKV2_AWS_76:The service contains no Java
  name                       = var.name
  load_balancer_type         = "application"
  subnets                    = aws_subnet.public[*].id
  security_groups            = [aws_security_group.role["load_balancer"].id]
  drop_invalid_header_fields = true
  enable_deletion_protection = true

  # Longer than any response takes to begin, long polls included. Shorter than the edge keeps an idle connection: otherwise a request
  # could meet a connection that the edge is closing, and the client would get a 502.
  idle_timeout = local.limits.load_balancer.idle_timeout
}

resource "aws_lb_target_group" "edge" {
  #checkov:skip=CKV_AWS_378:Private network; the load balancer does not verify certificates of targets
  name_prefix = "edge-"
  vpc_id      = aws_vpc.main.id
  target_type = "ip"
  protocol    = "HTTP"
  port        = local.limits.ports.edge

  # A stopping task gets no new requests, and its requests in flight end within this time. Then ECS sends SIGTERM, and the replica drains.
  # WebSockets last until then, so a longer delay would only make each deployment slower.
  deregistration_delay = local.limits.load_balancer.deregistration_delay

  # Long polls of Socket.IO need the replica that began them.
  stickiness {
    type            = "lb_cookie"
    cookie_duration = local.limits.load_balancer.stickiness
  }

  # The public health route, through the edge: the edge answers 503 while its replica is not ready, so a target is healthy exactly when
  # its replica is ready. The time limit is above the 2.5 s for which the edge waits for a ready replica.
  health_check {
    path                = local.limits.load_balancer.health_check.path
    matcher             = "200"
    interval            = local.limits.load_balancer.health_check.interval
    timeout             = local.limits.load_balancer.health_check.timeout
    healthy_threshold   = local.limits.load_balancer.health_check.healthy
    unhealthy_threshold = local.limits.load_balancer.health_check.unhealthy
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.main.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn

  # The edge sends this header only where it ends TLS itself.
  routing_http_response_strict_transport_security_header_value = "max-age=31536000; includeSubDomains"
  routing_http_response_server_enabled                         = false

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.edge.arn
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.main.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = "redirect"

    redirect {
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_301"
    }
  }
}

resource "aws_wafv2_web_acl_association" "main" {
  count = var.web_acl_arn == "" ? 0 : 1

  resource_arn = aws_lb.main.arn
  web_acl_arn  = var.web_acl_arn
}

resource "aws_route53_record" "main" {
  count = var.zone_id == "" ? 0 : 1

  zone_id = var.zone_id
  name    = var.domain
  type    = "A"

  alias {
    name                   = aws_lb.main.dns_name
    zone_id                = aws_lb.main.zone_id
    evaluate_target_health = false
  }
}
