"""Strict loading: what is right becomes settings, what is wrong is named."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamroute.config.load import embedded, load, loads
from streamroute.config.settings import LocalSettings, OpenAISettings, RouteSettings, ServerSettings
from streamroute.core.types import Release
from streamroute.errors import ConfigError
from streamroute.models.manifest import load_manifest

EXAMPLE = Path(__file__).parents[2] / "examples" / "gateway.toml"

UPSTREAM = """
[[upstream]]
name = "cheap"
kind = "openai"
base_url = "http://127.0.0.1:1/v1"
model = "m"
"""
KEY = f'[[key]]\nname = "ann"\nhash = "sha256:{"0" * 64}"\n'
ROUTE = """
[[route]]
name = "auto"
tiers = ["cheap"]
"""


def complaint(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loads(text, source="gateway.toml")
    return str(caught.value)


def test_the_example_says_what_it_documents_and_its_uncommented_defaults_are_the_defaults() -> None:
    settings = load(EXAMPLE)
    assert settings.server == ServerSettings()
    assert settings.routes == (RouteSettings(name="auto", tiers=("cheap", "large")),)
    cheap, large = settings.upstreams
    assert isinstance(cheap, OpenAISettings)
    assert isinstance(large, OpenAISettings)
    assert cheap.timeouts == large.timeouts
    assert cheap.price.completion == 0.2


def test_every_commented_setting_of_the_example_is_a_real_one() -> None:
    lines = []
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
        bare = line.removeprefix("# ").removeprefix("# ")
        lines.append(bare if line.startswith("# ") and (" = " in bare or bare.startswith("[")) else line)
    text = "\n".join(lines).replace('model = "smollm2-135m-instruct"\n', "")
    settings = loads(text)
    assert isinstance(settings.upstream("tiny"), LocalSettings)
    assert settings.server.api_key_env == "GATEWAY_KEY"
    assert settings.route("auto").probes.wave == 2


def test_without_a_configuration_two_local_tiers_are_served_as_streamroute() -> None:
    settings = embedded()
    assert [route.name for route in settings.routes] == ["streamroute"]
    assert [upstream.name for upstream in settings.upstreams] == list(settings.routes[0].tiers)
    assert all(
        isinstance(upstream, LocalSettings) and upstream.model in load_manifest() for upstream in settings.upstreams
    )


def test_files_are_beside_the_configuration(tmp_path: Path) -> None:
    server = '[server]\nrecords_file = "r.jsonl"\nfeedback_file = "/l.jsonl"\n'
    path = tmp_path / "gateway.toml"
    path.write_text(server + UPSTREAM + ROUTE + 'calibration = "a.toml"')
    settings = load(path)
    assert settings.server.records_file == str(tmp_path / "r.jsonl")
    assert settings.server.feedback_file == "/l.jsonl"
    assert settings.routes[0].calibration == str(tmp_path / "a.toml")


def test_values_are_read() -> None:
    text = UPSTREAM + ROUTE + 'release = "retract"\nhedge_after = 1\ndecision_deadline = inf\nprobes = { count = 0 }'
    route = loads(text).routes[0]
    assert route.release is Release.RETRACT
    assert route.hedge_after == 1.0
    assert math.isinf(route.decision_deadline)
    assert route.probes.count == 0


def test_the_unjudged_tier_is_the_last_unless_named() -> None:
    second = UPSTREAM.replace('"cheap"', '"large"')
    route = ROUTE.replace('["cheap"]', '["cheap", "large"]')
    assert loads(UPSTREAM + second + route).routes[0].unjudged_index == 1
    assert loads(UPSTREAM + second + route + 'unjudged_tier = "cheap"').routes[0].unjudged_index == 0


def test_files_of_models_are_relative_to_the_configuration(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text('[[upstream]]\nname = "cheap"\nkind = "local"\nfile = "m.gguf"\n' + ROUTE, encoding="utf-8")
    upstream = load(config).upstreams[0]
    assert isinstance(upstream, LocalSettings)
    assert upstream.file == str(tmp_path / "m.gguf")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[server]\nprot = 1\n", ["server.prot: unknown key", "`port`"]),
        ("[sever]\nport = 1\n", ["sever: unknown key", "`server`"]),
        ("zzzzzz = 1\n", ["zzzzzz: unknown key", "known here: server, upstream, route"]),
        ('[server]\nport = "80"\n', ["server.port: expected `int`, got `str`"]),
        ("[server]\nworkers = 2\n", ["server.workers: 2 processes need a `ledger_file`"]),
        ("[server]\nport = 70000\n", ["server.port: expected `int` <= 65535", "found 70000"]),
        ("[server]\ndrain_seconds = nan\n", ["server.drain_seconds: expected `float` >= 0", "found nan"]),
        ("server = 3\n", ["server: expected `table`, got `int`"]),
        (UPSTREAM + ROUTE + "[route.probes]\ncuont = 3\n", ["route[0].probes.cuont: unknown key", "`count`"]),
        (UPSTREAM + ROUTE + 'release = "retrakt"\n', ["route[0].release", '"hold" or "retract"', "`retract`"]),
        (UPSTREAM + ROUTE + 'on_timeout = "undecided"\n', ["route[0].on_timeout", '"accept" or "escalate"']),
        (UPSTREAM + ROUTE + "threshold = 1.5\n", ["route[0].threshold", "found 1.5"]),
        (UPSTREAM + ROUTE + "[route.probes]\ncount = true\n", ["route[0].probes.count: expected `int`, got `bool`"]),
        (UPSTREAM + ROUTE + "[route.probes]\nwave = 6\n", ["route[0].probes.wave", "probes.count = 5"]),
        (UPSTREAM + ROUTE.replace('["cheap"]', "[]"), ["route[0].tiers", "length"]),
        (UPSTREAM + ROUTE.replace('["cheap"]', '["chaep"]'), ["route[0].tiers[0]", "'chaep'", "`cheap`"]),
        (UPSTREAM + ROUTE.replace('["cheap"]', '["cheap", "cheap"]'), ["route[0].tiers[1]", "twice"]),
        (UPSTREAM + ROUTE + 'unjudged_tier = "other"\n', ["route[0].unjudged_tier", "'other'"]),
        (
            UPSTREAM
            + UPSTREAM.replace('"cheap"', '"large"').replace('"m"', '"m"\nserves = ["embeddings"]')
            + ROUTE.replace('["cheap"]', '["cheap", "large"]'),
            ["route[0].tiers[1]", "'large' does not serve \"chat\""],
        ),
        (UPSTREAM + ROUTE + 'on_break = "continue"\n', ["route[0].on_break", "none of its larger tiers has `prefill`"]),
        (UPSTREAM + UPSTREAM + ROUTE, ["upstream[1].name", "'cheap'", "upstream[0].name"]),
        (UPSTREAM + ROUTE.replace('"auto"', '"cheap"'), ["route[0].name", "'cheap'", "upstream[0].name"]),
        (UPSTREAM, ["no [[route]]"]),
        (UPSTREAM.replace("openai", "opena") + ROUTE, ["upstream[0].kind", '"openai" or "local"', "`openai`"]),
        (UPSTREAM.replace('kind = "openai"\n', "") + ROUTE, ["upstream[0]: `kind` is missing"]),
        (UPSTREAM.replace('kind = "openai"', "kind = [1]") + ROUTE, ["upstream[0].kind", "found [1]"]),
        (UPSTREAM.replace('model = "m"\n', "") + ROUTE, ["upstream[0]: missing key `model`"]),
        (UPSTREAM.replace("http:", "ftp:") + ROUTE, ["upstream[0].base_url"]),
        ('[[upstream]]\nname = "cheap"\nkind = "local"\n' + ROUTE, ["upstream[0]", "either `model` or `file`"]),
        (
            '[[upstream]]\nname = "cheap"\nkind = "local"\nmodel = "a"\nfile = "b"\n' + ROUTE,
            ["either `model` or `file`"],
        ),
        ("[server\n", ["not valid TOML", "line 1"]),
        ("[server]\nlimits = { depth = 501 }\n", ["server.limits.depth: expected `int` <= 500", "found 501"]),
        (UPSTREAM + 'api_key_env = "A"\napi_key_file = "b"\n' + ROUTE, ["upstream[0]", "not both"]),
        (UPSTREAM + ROUTE + KEY + KEY, ["key[1].name", "'ann'", "key[0]"]),
        (UPSTREAM + ROUTE + KEY + KEY.replace("ann", "bob"), ["key[1].hash", "key[0], 'ann'"]),
        (UPSTREAM + ROUTE + KEY + 'routes = ["autp"]\n', ["key[0].routes[0]", "'autp'", "`auto`"]),
        (UPSTREAM + ROUTE + KEY + "budget = { week = 1 }\n", ["key[0].budget.week: unknown key"]),
    ],
)
def test_a_wrong_setting_is_named_with_what_was_expected(text: str, parts: list[str]) -> None:
    message = complaint(text)
    assert message.startswith("gateway.toml: ")
    for part in parts:
        assert part in message


def test_keys_may_ask_for_routes_and_tiers() -> None:
    (key,) = loads(UPSTREAM + ROUTE + KEY + 'routes = ["auto", "cheap"]\n').keys
    assert (key.name, key.routes, key.board) == ("ann", ("auto", "cheap"), False)


def test_a_key_where_its_hash_belongs_is_refused_and_not_repeated() -> None:
    message = complaint(UPSTREAM + ROUTE + '[[key]]\nname = "ann"\nhash = "sr-verysecret"\n')
    assert "key[0].hash" in message
    assert "verysecret" not in message


@pytest.mark.parametrize("key", ['api_key = "sk-verysecret"', 'api_key_env = "sk-verysecret"'])
def test_a_key_in_the_file_is_refused_and_not_repeated(key: str) -> None:
    message = complaint(UPSTREAM + key + ROUTE)
    assert "upstream[0].api_key" in message
    assert "verysecret" not in message


def test_credentials_inside_an_address_are_refused_and_not_repeated() -> None:
    message = complaint(UPSTREAM.replace("http://", "http://user:verysecret@") + ROUTE)
    assert "upstream[0].base_url" in message
    assert "verysecret" not in message


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.toml: no such file"):
        load(tmp_path / "missing.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"binary\.toml: cannot be read"):
        load(tmp_path / "binary.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)


@given(
    key=st.sampled_from(["server", "upstream", "route", "other"]),
    value=st.recursive(
        st.one_of(st.booleans().map(lambda b: "true" if b else "false"), st.integers(-9, 9).map(str), st.just('"x"')),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]"),
            st.dictionaries(st.sampled_from(["name", "kind", "tiers", "probes", "zz"]), inner, max_size=3).map(
                lambda table: "{" + ", ".join(f"{k} = {v}" for k, v in table.items()) + "}"
            ),
        ),
        max_leaves=8,
    ),
)
def test_any_toml_gives_settings_or_a_config_error(key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=r"gateway\.toml: "):
        loads(f"{key} = {value}\n", source="gateway.toml")
