"""Every way in which this program can reach, or be reached over, a network. A test finds what is missing here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Connection:
    """One way in or out.

    files : where its code is, as "folder/file.py" or "folder/"; what : what goes over it
    when  : what the wearer must do for it; without that it is off
    """

    name: str
    files: tuple[str, ...]
    when: str
    to: str
    what: str


CONNECTIONS = (
    Connection("cloud", ("edge/cloud.py", "edge/outbound.py"), "--cloud, or a cloud.toml that allows it",
               "the one server that is named there",
               "the question, the cut-out thing with faces blurred, and what packs say about it; all of it is logged"),
    Connection("camera", ("edge/live/",), "--camera with an address of a network",
               "that camera", "a request for its pictures"),
    Connection("web view", ("apps/web/",), "--web",
               "nobody: it listens, on this machine alone unless an address is given",
               "pictures and answers, to viewers"),
    Connection("service manager", ("apps/service.py",), "a service manager that starts the glasses, as on a Jetson",
               "that manager, on this machine", "ready, stopping, still alive, and how the camera is"),
    Connection("trials of the loop", ("apps/trials/",), "python -m pixsearch.apps.trials, for developers",
               "this machine alone", "rendered clips"),
    Connection("chat model", ("model/chat.py",), "eval crag-mm --judge, and the trace builder, for developers",
               "the one server that is named there", "questions, answers and pictures of a benchmark or training set"),
    Connection("training data", ("model/data/sources.py",), "make data, for developers",
               "the package registries set up for pip, npm and apt", "names of packages"),
)
