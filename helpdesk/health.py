"""Liveness, readiness and metrics, for load balancers and Prometheus."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("health", __name__)
