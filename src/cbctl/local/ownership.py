"""Whose the folders on the way to the state are, and who else could exchange them."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from pathlib import Path

from cbctl.errors import FULL, CbctlError, Exit, refusal

ELSEWHERE = "or choose another folder with CBCTL_STATE_DIR"
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_LINKS = 40  # as many as the kernel follows


def unusable(path: Path, error: OSError) -> CbctlError:
    if error.errno in (errno.EACCES, errno.EPERM):
        return CbctlError(
            f"the state folder is closed to {_user(os.geteuid())}: {error.strerror}",
            exit=Exit.CREDENTIALS,
            where=str(path),
            fix=f"run cbctl as the user whose folder it is, {ELSEWHERE}",
        )
    if error.errno in FULL and (full := refusal(error, str(path))):
        return full
    return CbctlError(
        f"the state folder cannot be made: {error.strerror}",
        exit=Exit.USAGE,
        where=str(path),
        fix="choose another folder with CBCTL_STATE_DIR",
    )


def safe_path(path: Path) -> Path:
    """An existing absolute path with its links followed, when nobody else can exchange any part.

    Each folder and each link on the way belongs to this user or to root, and no folder can be
    written by others, except sticky ones, whose entries only their owners can exchange. Errors:
    Exit.REFUSED, Exit.USAGE for what is not there or leads nowhere.
    """
    done, left, links = Path(path.anchor), list(reversed(path.parts[1:])), 0
    _check_exchange(done)
    while left:
        name = left.pop()
        if name == "..":
            done = done.parent
            continue
        here = done / name
        try:
            found = here.lstat()
            if stat.S_ISLNK(found.st_mode):
                _check_owner(here, found)
                links += 1
                if links > _LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                target = here.readlink()
                if target.is_absolute():
                    done, target = Path(target.anchor), target.relative_to(target.anchor)
                left.extend(reversed(target.parts))
                continue
        except OSError as error:
            raise unusable(here, error) from None
        if not stat.S_ISDIR(found.st_mode):
            raise unusable(here, OSError(errno.ENOTDIR, "this is not a folder"))
        done = here
        _check_exchange(done)
    return done


def _check_exchange(folder: Path) -> None:
    found = folder.lstat()
    _check_owner(folder, found)
    others = found.st_mode & _OTHERS_WRITE
    if others and not found.st_mode & stat.S_ISVTX:
        if others == stat.S_IWGRP and _alone_in(found.st_gid):
            return
        raise _exchangeable(folder, "others can replace what is in this folder")


def _check_owner(path: Path, found: os.stat_result) -> None:
    if found.st_uid not in (os.geteuid(), 0):
        raise CbctlError(
            f"this belongs to {_user(found.st_uid)}, who can replace what is below it",
            exit=Exit.REFUSED,
            where=str(path),
            fix="choose a folder of yours with CBCTL_STATE_DIR",
        )


def _alone_in(group: int) -> bool:
    """Whether it is the group that some systems give each user, whose umask is 002 then."""
    try:
        me, found = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(group)
    except KeyError:
        return False
    return found.gr_name == me and set(found.gr_mem) <= {me}


def _exchangeable(path: Path, why: str) -> CbctlError:
    return CbctlError(
        why,
        exit=Exit.REFUSED,
        where=str(path),
        fix=f"chmod go-w {path} as its owner, {ELSEWHERE}",
    )


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def check_root(top: Path) -> None:
    """A sticky folder of root's, like /tmp, is fine to have our own folder in."""
    found = top.lstat()
    if found.st_mode & _OTHERS_WRITE and not found.st_mode & stat.S_ISVTX:
        raise _exchangeable(top, "others can replace what is in this folder")


def check_private(path: Path) -> None:
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise not_a_folder(path)
    if found.st_uid != os.geteuid():
        owner, me = _user(found.st_uid), _user(os.geteuid())
        raise CbctlError(
            f"the state folder belongs to {owner}, and this is {me}",
            exit=Exit.REFUSED,
            where=str(path),
            fix=f"run cbctl as {owner}, {ELSEWHERE}",
        )
    if found.st_mode & _OTHERS_WRITE:
        raise CbctlError(
            "other users can write in the state folder",
            exit=Exit.REFUSED,
            where=str(path),
            fix=f"look at what is in it, then chmod 700 {path}",
        )


def not_a_folder(path: Path) -> CbctlError:
    return CbctlError(
        "the state folder is not a folder (a link is not followed)",
        exit=Exit.REFUSED,
        where=str(path),
        fix=f"move it away, {ELSEWHERE}",
    )
