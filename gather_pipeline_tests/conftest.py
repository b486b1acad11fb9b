"""Fixtures that tests of every room may use."""

pytest_plugins = ["gather_pipeline_tests.mongo_server", "gather_pipeline_tests.adapters.documents.store_bodies"]
