import pytest

from streamroute.cli.serve import settings_of
from streamroute.config.load import embedded
from streamroute.errors import ConfigError


def test_the_command_line_says_where_to_listen_and_nothing_else() -> None:
    settings = settings_of(None, host="::1", port=0)
    assert (settings.server.host, settings.server.port) == ("::1", 0)
    assert settings.routes == embedded().routes
    assert settings_of(None, host=None, port=None) == embedded()


def test_several_workers_of_the_command_line_need_a_ledger_file_as_those_of_the_file_do() -> None:
    with pytest.raises(ConfigError, match="2 processes need a `ledger_file`"):
        settings_of(None, workers=2)
    assert settings_of(None, workers=1).server.workers == 1
