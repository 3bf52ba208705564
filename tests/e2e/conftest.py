"""Fixtures of the end-to-end tests; see harness.py for what they start."""
import os
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than about five seconds")
    config.addinivalue_line("markers", "servers: needs a real server or client from a registry")


def pytest_collection_modifyitems(items):
    for item in items:
        if "servers" in item.path.parts[-2:-1]:
            item.add_marker(pytest.mark.servers)


def pytest_runtest_setup(item):
    # The tests of the tools themselves need no engine.
    if harness.spate_bin() is None and item.path.name != "test_tools.py":
        pytest.skip("no spate binary: build it or set SPATE_BIN")
    if harness.tool_bin("sink") is None or harness.tool_bin("loadgen") is None:
        pytest.skip("tools/sink and tools/loadgen are not built")


@pytest.fixture
def spate(sink):
    """spate(config, ports=1, tcp=["P1"]) starts one; at the end each is stopped and checked.

    It asks for the sinks, so that they are still there while what is left is delivered."""
    running = []

    def start(config=None, wait=True, **options):
        one = harness.Spate(config, **options)
        running.append(one)
        return one.start() if wait else one

    yield start
    try:
        for one in running:
            one.stop()
    finally:
        for one in running:
            one.cleanup()


@pytest.fixture
def sink():
    running = []

    def start(*args, **options):
        one = harness.Sink(*args, **options)
        running.append(one)
        return one

    yield start
    for one in running:
        one.close()


@pytest.fixture(scope="session")
def pki():
    """Directory with the test authority's certificates."""
    path = tempfile.mkdtemp(prefix="spate-pki-")
    try:
        harness.recipe("pki", path)
    except harness.Unavailable as why:
        pytest.skip(str(why))
    yield path
    shutil.rmtree(path, ignore_errors=True)
