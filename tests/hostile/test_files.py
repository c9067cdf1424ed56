"""Files and folders are whole or not there, devices and links stay what they are, and nothing of a killed run stays."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from expost.errors import InputError
from expost.files import new_folder, read_regular, write_whole


def test_a_link_is_followed_and_stays_a_link(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "file").chmod(0o640)
    (tmp_path / "link").symlink_to("file")
    write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "file").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640
    (tmp_path / "nowhere").symlink_to("later")
    write_whole(tmp_path / "nowhere", b"now")
    assert (tmp_path / "later").read_bytes() == b"now" and len(list(tmp_path.iterdir())) == 4


def test_a_device_and_a_pipe_are_written_to_and_stay_what_they_are(tmp_path):
    write_whole(Path("/dev/null"), b"x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)  # noqa: PTH116
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="cannot be written"):
        write_whole(pipe, b"nobody reads")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)  # a reader is there before we write
    write_whole(pipe, b"all of it")
    assert os.read(reader, 100) == b"all of it"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    with pytest.raises(InputError, match="No space left"):
        write_whole(Path("/dev/full"), b"x")


@pytest.mark.parametrize("name", ["a" * 5000, "nobody/there", "null\0byte", "."])
def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path, name):
    with pytest.raises(InputError, match="cannot be written"):
        write_whole(tmp_path / name, b"x")
    assert not list(tmp_path.iterdir())


def test_only_regular_files_of_a_fit_size_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "endless").symlink_to("/dev/zero")
    (tmp_path / "large").write_bytes(bytes(100))
    (tmp_path / "link").symlink_to("large")
    for name in ("pipe", "endless", "large"):
        with pytest.raises(ValueError, match=r"regular file|many"):
            read_regular(tmp_path / name, 99)
    with pytest.raises(OSError, match=r"directory|Permission"):
        read_regular(tmp_path)
    assert read_regular(tmp_path / "link", 100) == bytes(100)


def test_what_nobody_holds_is_cleared_and_what_somebody_holds_is_kept(tmp_path):
    (tmp_path / ".expost-dead.partial").mkdir()
    (tmp_path / ".expost-dead.partial" / "result.json").write_text("{")
    (tmp_path / ".a.1-0.draft").write_text("half")
    with new_folder(tmp_path / "one") as first:
        assert not (tmp_path / ".expost-dead.partial").exists()
        with new_folder(tmp_path / "two") as second:
            assert first.is_dir() and second.is_dir()
    write_whole(tmp_path / "a", b"whole")
    assert {path.name for path in tmp_path.iterdir()} == {"one", "two", "a"}


def test_a_folder_that_appeared_meanwhile_is_somebodys(tmp_path):
    with pytest.raises(InputError, match="exists"), new_folder(tmp_path / "run") as work:
        (work / "mine").write_text("1")
        (tmp_path / "run").mkdir()
    assert [path.name for path in tmp_path.rglob("*")] == ["run"]


SAVE = """
import sys
import expost as ex
from expost.runs.folder import save_numbered
run = ex.open(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(save_numbered(run))
"""


def test_four_at_once_all_get_a_number(tmp_path):
    saved = Path(__file__).parents[1] / "runs" / "data" / "schema1" / "one-buyer"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", SAVE, str(saved)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=tmp_path,
            text=True,
        )
        for _ in range(4)
    ]
    for process in running:
        assert process.stdout.readline() == "ready\n"
    for process in running:
        process.stdin.write("\n")
        process.stdin.flush()
    names = {process.communicate(timeout=60)[0].strip() for process in running}
    assert names == {f"runs/one-static-3{end}" for end in ("", "-2", "-3", "-4")}
    assert {f"runs/{path.name}" for path in (tmp_path / "runs").iterdir()} == names
