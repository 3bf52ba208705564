"""Real servers, started once a session from tools/servers; a registry that is silent is a skip."""
import os
import shutil
import tempfile

import pytest

import harness


def _server(name, *args, stop=True):
    # Not below pytest's own directory: the servers run as another user, who must reach theirs.
    path = tempfile.mkdtemp(prefix="spate-server-")
    os.chmod(path, 0o755)
    before, after = args
    try:
        values = harness.recipe(name, "start", *before, path, *after)
    except harness.Unavailable as why:
        shutil.rmtree(path, ignore_errors=True)
        pytest.skip(str(why))
    values["dir"] = path
    yield values
    harness.recipe(name, "stop", path)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def es8():
    yield from _server("elastic", ["es8"], [])


@pytest.fixture(scope="session")
def es8_secure():
    yield from _server("elastic", ["es8"], ["secure"])


@pytest.fixture(scope="session")
def opensearch():
    yield from _server("elastic", ["os2"], [])


@pytest.fixture(scope="session")
def kafka():
    yield from _server("kafka", [], [])


@pytest.fixture
def beats_client():
    """beats_client(NAME) makes sure that the client is there."""
    def fetch(name):
        try:
            harness.recipe("beats", "fetch", name)
        except harness.Unavailable as why:
            pytest.skip(str(why))
    return fetch
