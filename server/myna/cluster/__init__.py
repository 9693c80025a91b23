"""Myna on a Ray cluster: gateways in front, and replicas that hold the very same app behind."""
