"""Settings come from the environment over one file; what is wrong is refused with its name, value and mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.core.settings import BadSettings, Section, Settings, load, variables

SECRET = "hunter2-hunter2"


def refusal(**environment: str) -> str:
    with pytest.raises(BadSettings) as caught:
        load(environment)
    return str(caught.value)


@pytest.fixture(autouse=True)
def _no_file_of_the_developer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.yaml"


def test_without_anything_the_defaults_hold() -> None:
    assert load({}) == Settings()
    assert load({}).http.port == 8080


def test_what_is_not_lydias_is_ignored() -> None:
    assert load({"HTTP__PORT": "1", "PATH": "/bin", "lydia_room": "x"}) == Settings()


def test_a_variable_goes_over_the_file_and_the_file_over_the_default(file: Path) -> None:
    file.write_text("http: {port: 9000, host: 0.0.0.0}\nroom: from-file\n")
    settings = load({"LYDIA_CONFIG": str(file), "LYDIA_HTTP__PORT": "9001"})
    assert (settings.http.port, settings.http.host, settings.room) == (9001, "0.0.0.0", "from-file")  # noqa: S104


def test_the_file_in_the_working_directory_is_read(tmp_path: Path) -> None:
    (tmp_path / "lydia.yaml").write_text("room: here\n")
    assert load({}).room == "here"


def test_an_empty_variable_counts_as_unset(file: Path) -> None:
    file.write_text("room: from-file\n")
    settings = load({"LYDIA_CONFIG": str(file), "LYDIA_ROOM": "", "LYDIA_AUTH__MESSAGE_TOKEN": "", "LYDIA_WRONG": ""})
    assert settings.room == "from-file"
    assert settings.auth.message_token is None
    assert load({"LYDIA_CONFIG": ""}) == Settings()


@pytest.mark.parametrize("text", ["", "# nothing but a remark\n", "http:\nstage:\n"])
def test_an_empty_file_or_section_changes_nothing(file: Path, text: str) -> None:
    file.write_text(text)
    assert load({"LYDIA_CONFIG": str(file)}) == Settings()


def test_lists_and_mappings_are_written_as_yaml_or_json() -> None:
    settings = load(
        {
            "LYDIA_DOUYIN__ROOMS": "[7123456789012345678, abc]",
            "LYDIA_DOUYIN__PUSH_SECRETS": '{"live_gift": "s1", live_comment: s2}',
        }
    )
    assert settings.douyin.rooms == ("7123456789012345678", "abc")
    assert settings.douyin.push_secrets["live_gift"].get_secret_value() == "s1"


def test_a_variable_that_ends_in_file_names_a_file_with_the_value(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(SECRET + "\n")
    settings = load({"LYDIA_AUTH__OPERATOR_TOKEN_FILE": str(tmp_path / "token")})
    assert settings.auth.operator_token is not None
    assert settings.auth.operator_token.get_secret_value() == SECRET
    assert SECRET not in repr(settings)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().room = "other"  # type: ignore[misc]


# refusals: each says name, value and mend


def test_a_value_out_of_range_is_refused() -> None:
    text = refusal(LYDIA_HTTP__PORT="99999")
    assert text == (
        "http.port (LYDIA_HTTP__PORT) = '99999': Input should be less than or equal to 65535. "
        "It is: port for everything; 0 takes a free one."
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LYDIA_STAGE__SPEED", "fast"),
        ("LYDIA_ROOM", "a room/with spaces"),
        ("LYDIA_AUDIENCE__QUEUE_SIZE", "-1"),
        ("LYDIA_TELEMETRY__LOG_LEVEL", "LOUD"),
        ("LYDIA_DOUYIN__ACKS", "perhaps"),
        ("LYDIA_DOUYIN__PIPE_PORT", "1.5"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(name: str, value: str) -> None:
    text = refusal(**{name: value})
    path = name.removeprefix("LYDIA_").lower().replace("__", ".")
    assert text.startswith(f"{path} ({name}) = '{value}': ")
    assert " It is: " in text


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("LYDIA_CHAT__BASE_URL", "localhost:11434", "must begin with http:// or https:// and name a server"),
        ("LYDIA_SPEECH__BASE_URL", "http://", "must begin with http:// or https:// and name a server"),
        ("LYDIA_TELEMETRY__OTLP_ENDPOINT", "collector", "must begin with http:// or https:// and name a server"),
        ("LYDIA_DOUYIN__API_URL", "ftp://x", "must begin with http:// or https:// and name a server"),
        ("LYDIA_AUDIENCE__QUIET_S", "inf", "finite"),
        ("LYDIA_STAGE__SPEED", "nan", "finite"),
        ("LYDIA_HTTP__HOST", "no host", "pattern"),
    ],
)
def test_what_could_only_fail_later_is_refused_at_start(name: str, value: str, told: str) -> None:
    found = refusal(**{name: value})
    assert name in found
    assert value in found
    assert told in found


def test_settings_that_contradict_each_other_are_refused_together() -> None:
    found = refusal(LYDIA_STAGE__LEAD_MS="500", LYDIA_STAGE__AHEAD_MS="40")
    assert found == "stage: lead_ms (500) must not be above ahead_ms (40). Mend these settings together."


@pytest.mark.parametrize("text", ["1: 2\n", "http: {1: 2}\n"])
def test_a_name_in_the_file_that_is_no_text_is_refused(file: Path, text: str) -> None:
    file.write_text(text)
    assert "1: Keys should be strings." in refusal(LYDIA_CONFIG=str(file))


def test_an_empty_host_in_the_file_does_not_open_her_to_every_network(file: Path) -> None:
    file.write_text('http: {host: ""}\n')
    assert "http.host (LYDIA_HTTP__HOST) = ''" in refusal(LYDIA_CONFIG=str(file))


@pytest.mark.parametrize("secret", ["", " ", "two words", "密码"])
def test_a_secret_that_keeps_nobody_out_or_that_no_header_carries_is_refused(file: Path, secret: str) -> None:
    file.write_text(f'auth: {{operator_token: "{secret}"}}\ndouyin: {{push_secrets: {{live_gift: "{secret}"}}}}\n')
    found = refusal(LYDIA_CONFIG=str(file))
    for name in ("auth.operator_token (LYDIA_AUTH__OPERATOR_TOKEN)", "douyin.push_secrets.live_gift"):
        assert name in found
    assert found.count("(hidden): must be one or more visible ASCII characters") == 2


@pytest.mark.parametrize(
    ("host", "private"),
    [("127.0.0.1", True), ("127.0.0.2", True), ("::1", True), ("localhost", True), ("::", False), ("lydia.lan", False)],
)
def test_only_the_loopback_is_private(host: str, private: bool) -> None:
    assert load({"LYDIA_HTTP__HOST": host}).http.private is private


def test_every_mistake_is_told_at_once() -> None:
    lines = refusal(LYDIA_HTTP__PORT="x", LYDIA_STAGE__SPEED="0", LYDIA_ROOM="?").splitlines()
    assert [line.split()[0] for line in lines] == ["room", "http.port", "stage.speed"]


def test_an_unknown_variable_is_refused_with_what_was_meant() -> None:
    assert refusal(LYDIA_HTTP_PORT="80") == "LYDIA_HTTP_PORT: no such setting. Did you mean LYDIA_HTTP__PORT?"
    assert refusal(LYDIA_WXWXWXWXWXWXWXWX="1") == "LYDIA_WXWXWXWXWXWXWXWX: no such setting. Remove it."


def test_an_unknown_name_in_the_file_is_refused_with_what_was_meant(file: Path) -> None:
    file.write_text(f"douyin: {{app_secrt: {SECRET}}}\nhtpp: {{port: 1}}\n")
    lines = refusal(LYDIA_CONFIG=str(file)).splitlines()
    assert "douyin.app_secrt: no such setting. Did you mean douyin.app_secret?" in lines
    assert any(line.startswith("htpp: no such setting.") for line in lines)
    assert SECRET not in "".join(lines)


def test_an_item_of_a_list_is_named(file: Path) -> None:
    file.write_text("douyin: {rooms: [good, 'not good']}\n")
    assert refusal(LYDIA_CONFIG=str(file)).startswith("douyin.rooms.1 (LYDIA_DOUYIN__ROOMS) = 'not good': ")


@pytest.mark.parametrize("text", ["http: 8080", "auth: [hunter2-hunter2]", "- http", "just words"])
def test_a_file_that_is_no_mapping_is_refused(file: Path, text: str) -> None:
    file.write_text(text)
    found = refusal(LYDIA_CONFIG=str(file))
    assert str(file) in found
    assert "is no mapping of settings. Write `name: value` lines" in found
    assert SECRET not in found


def test_a_variable_does_not_mend_a_section_that_is_no_mapping(file: Path) -> None:
    file.write_text("http: 8080")
    assert "http in " in refusal(LYDIA_CONFIG=str(file), LYDIA_HTTP__PORT="9000")


def test_a_file_that_is_no_yaml_is_refused_without_its_content(file: Path) -> None:
    file.write_text(f"auth:\n  operator_token: {SECRET}: {SECRET}\n")
    found = refusal(LYDIA_CONFIG=str(file))
    assert found.startswith(f"LYDIA_CONFIG={file}: is no YAML (")
    assert "in line 2)" in found
    assert SECRET not in found


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "cannot be read (No such file or directory)"), (b"\xff\xfe", "is no UTF-8 text")]
)
def test_a_file_that_cannot_be_read_is_refused(file: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        file.write_bytes(content)
    assert refusal(LYDIA_CONFIG=str(file)) == f"LYDIA_CONFIG={file}: {reason}. Mend the file or unset the variable."
    assert reason in refusal(LYDIA_AUTH__MESSAGE_TOKEN_FILE=str(file))


def test_an_empty_secret_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n")
    assert "the file is empty" in refusal(LYDIA_AUTH__OPERATOR_TOKEN_FILE=str(tmp_path / "token"))


def test_a_value_and_a_file_for_the_same_setting_are_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(SECRET)
    found = refusal(LYDIA_AUTH__OPERATOR_TOKEN="x", LYDIA_AUTH__OPERATOR_TOKEN_FILE=str(tmp_path / "token"))
    assert found == "LYDIA_AUTH__OPERATOR_TOKEN_FILE: LYDIA_AUTH__OPERATOR_TOKEN is set too. Remove one of them."


def test_a_variable_that_should_hold_yaml_and_does_not_is_refused_without_its_value() -> None:
    found = refusal(LYDIA_DOUYIN__PUSH_SECRETS=f"{{live_gift: {SECRET}")
    assert found.startswith("LYDIA_DOUYIN__PUSH_SECRETS: is no YAML or JSON. Write it like")
    assert SECRET not in found


def test_secrets_are_never_repeated(file: Path) -> None:
    file.write_text(f"auth: {{operator_token: [{SECRET}]}}\ndouyin: {{push_secrets: {{live_gift: [{SECRET}]}}}}\n")
    found = refusal(LYDIA_CONFIG=str(file))
    assert "auth.operator_token (LYDIA_AUTH__OPERATOR_TOKEN) = (hidden): " in found
    assert "douyin.push_secrets.live_gift (LYDIA_DOUYIN__PUSH_SECRETS) = (hidden): " in found
    assert SECRET not in found


def test_every_setting_is_described() -> None:
    undescribed = [name for name, (_, field) in variables().items() if not field.description]
    assert undescribed == []
    sections = {type(field.default) for field in Settings.model_fields.values() if isinstance(field.default, Section)}
    assert [section.__name__ for section in sections if not section.__doc__] == []


def test_a_misspelt_message_type_is_refused_without_its_secret() -> None:
    with pytest.raises(BadSettings) as refused:
        load({"LYDIA_DOUYIN__PUSH_SECRETS": "{live_gft: do-not-show}"})
    assert "live_gft" in str(refused.value) and "live_gift" in str(refused.value)
    assert "do-not-show" not in str(refused.value)


def test_a_redis_login_goes_to_the_client_and_to_nobody_else(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("p@ss:w/rd%\n")
    redis = load(
        {
            "LYDIA_REDIS__URL": "rediss://redis.example:6380/1",
            "LYDIA_REDIS__USERNAME": "lydia",
            "LYDIA_REDIS__PASSWORD_FILE": str(tmp_path / "password"),
            "LYDIA_REDIS__CA": "/etc/ca.pem",
        }
    ).redis
    assert redis.login == "rediss://lydia:p%40ss%3Aw%2Frd%25@redis.example:6380/1?ssl_ca_certs=%2Fetc%2Fca.pem"
    assert "p@ss" not in repr(redis)


def test_a_redis_url_with_a_login_is_refused_without_being_repeated() -> None:
    found = refusal(LYDIA_REDIS__URL=f"redis://lydia:{SECRET}@redis.example")
    assert "redis.url (LYDIA_REDIS__URL) = (hidden): must not hold the login: set redis.username" in found
    assert SECRET not in found


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"LYDIA_REDIS__URL": "redis.example:6379"}, "must begin with redis:// or rediss://"),
        ({"LYDIA_REDIS__URL": "redis://a", "LYDIA_REDIS__CA": "/ca.pem"}, "write url as rediss://"),
        ({"LYDIA_REDIS__URL": "redis://a", "LYDIA_REDIS__USERNAME": "lydia"}, "username needs a password"),
    ],
)
def test_redis_settings_that_cannot_be_meant_are_refused(variables: dict[str, str], told: str) -> None:
    assert told in refusal(**variables)
