"""Archives of arrays: what is written is what numpy and the cautious reader read, compressed."""

import numpy as np
import pytest

import expost as ex
from expost.runs.archive import Archive, write_archive

ARRAYS = {
    "flow": np.arange(100_000, dtype=np.int64) // 7 << 30,
    "rule": np.zeros((3, 4, 5), dtype=np.uint8),
    "exponent": np.array(-12, dtype=np.int64),
    "turned": np.asfortranarray(np.random.default_rng(0).random((6, 7))),
    "none": np.empty(0, dtype=np.int64),
}


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "a.npz"
    write_archive(path, ARRAYS)
    with np.load(path, allow_pickle=False) as found:
        assert set(found.files) == set(ARRAYS)
        for name, array in ARRAYS.items():
            assert found[name].dtype == array.dtype and np.array_equal(found[name], array)
    cautious = Archive(path)
    cautious.require({name: array.shape for name, array in ARRAYS.items()})
    assert all(np.array_equal(array, ARRAYS[name]) for name, array in cautious.read().items())
    assert path.stat().st_size < 0.3 * sum(array.nbytes for array in ARRAYS.values())


def test_objects_are_not_written(tmp_path):
    with pytest.raises(ValueError, match="allow_pickle"):
        write_archive(tmp_path / "a.npz", {"a": np.array([object()])})


def test_a_run_is_compressed_nearly_as_much_as_by_numpy(tmp_path):
    folder = ex.solve("jmmz", grid=16).save(tmp_path / "run")
    with np.load(folder / "certificate.npz") as found:
        np.savez_compressed(tmp_path / "again.npz", **found)
    assert (folder / "certificate.npz").stat().st_size < 1.25 * (tmp_path / "again.npz").stat().st_size
