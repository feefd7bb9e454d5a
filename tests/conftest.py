"""What every test can ask for. Servers and the browser come from tests/servers.py."""

pytest_plugins = ["tests.servers", "tests.desks"]
