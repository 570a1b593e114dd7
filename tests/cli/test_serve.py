from streamroute.cli.serve import settings_of
from streamroute.config.load import embedded


def test_the_command_line_says_where_to_listen_and_nothing_else() -> None:
    settings = settings_of(None, host="::1", port=0)
    assert (settings.server.host, settings.server.port) == ("::1", 0)
    assert settings.routes == embedded().routes
    assert settings_of(None, host=None, port=None) == embedded()
