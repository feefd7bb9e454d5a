"""Mail: intake."""
