"""Mail: sending."""
