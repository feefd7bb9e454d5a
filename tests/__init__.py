"""Tests, one folder per kind: unit, integration, browser, corpus."""
