"""Entries of untrusted tar archives."""

import tarfile

MOST_HEADER_BYTES = 2**16  # of a name or of attributes


class BoundedEntry(tarfile.TarInfo):
    """An entry with a limit on the size of its extended headers, which `tarfile` itself reads without one."""

    EXTRAS = (
        tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
    )  # fmt: skip

    def _proc_member(self, tarfile_: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in self.EXTRAS and self.size > MOST_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {self.size} bytes")
        return super()._proc_member(tarfile_)  # type: ignore[misc,no-any-return]
