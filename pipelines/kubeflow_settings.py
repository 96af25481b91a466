"""The section `kubeflow` of a configuration: what the steps of a compiled pipeline run in. Imports no TFX."""

import posixpath
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from components.common.settings import Section

DEFAULT_RESOURCES = "default"  # of `resources`: of the nodes that have none of their own
# Of Kubernetes: of claims, secrets and the like; of variables of the environment.
_NAME = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
_SECRET_WORDS = ("SECRET", "PASSWORD", "TOKEN")


def _folder(path: str) -> str:
    parts = path.split("/")
    if not path.startswith("/") or {".", "..", ""} & set(parts[1:]):
        raise ValueError("must be an absolute path of a folder, such as /serving")
    return path


Name = Annotated[str, StringConstraints(pattern=_NAME)]
Variable = Annotated[str, StringConstraints(pattern=_VARIABLE)]
Folder = Annotated[str, AfterValidator(_folder)]
Value = Annotated[str, StringConstraints(min_length=1)]


class Mount(Section):
    """A volume, by its claim, in the file system of steps."""

    claim: Name  # the PersistentVolumeClaim
    path: Folder  # where the steps find it
    # ids of the nodes that have it; empty: those that read or write outside the pipeline root
    nodes: tuple[Value, ...] = ()


class Secret(Section):
    """Values of a secret, as variables of every step's environment."""

    name: Name
    env: dict[Variable, Value]  # the secret's key by the variable


class Resources(Section):
    """The most that a step may take, and what is kept for it."""

    cpu: Annotated[float, Field(gt=0)] | None = None  # processors
    memory_gb: Annotated[float, Field(gt=0)] | None = None  # of 10^9 bytes
    accelerator: str = ""  # its kind: nvidia.com/gpu on a cluster, NVIDIA_TESLA_T4 and the like on Vertex AI
    accelerators: Annotated[int, Field(ge=1)] = 1  # how many, where there is a kind


class KubeflowConfig(Section):
    """What the steps of a compiled pipeline run in (docs/kubeflow.md)."""

    image: str = ""  # the container image of every step; `--image` goes before it
    image_pull_secrets: tuple[Name, ...] = ()
    env: dict[Variable, str] = Field(default_factory=dict)  # of every step, such as the address of an object store
    secrets: tuple[Secret, ...] = ()
    mounts: tuple[Mount, ...] = ()
    # by the node's id, and "default" for all others
    resources: dict[Value, Resources] = Field(default_factory=dict)
    # whether a run ends in failure, after its report was made, where its verdict is one of `monitor.fail_on`
    fail_unless_fine: bool = False

    @model_validator(mode="after")
    def _no_secret_in_plain_sight(self) -> "KubeflowConfig":
        shown = [name for name in self.env if any(word in name.upper() for word in _SECRET_WORDS)]
        if shown:
            raise ValueError(
                f"must not have {shown[0]} in `env`, which everybody can read in Kubeflow's pages: `secrets` takes it "
                "from a secret of the cluster"
            )
        return self

    @model_validator(mode="after")
    def _one_of_each(self) -> "KubeflowConfig":
        paths = [mount.path for mount in self.mounts]
        if len(set(paths)) < len(paths):
            raise ValueError("must have `mounts` with a path each")
        variables = [*self.env, *(name for secret in self.secrets for name in secret.env)]
        twice = sorted({name for name in variables if variables.count(name) > 1})
        if twice:
            raise ValueError(f"must say {twice[0]} once, in `env` or in one of `secrets`")
        return self

    def mount_of(self, path: str) -> Mount | None:
        """The volume that a path is on; None where it is on none.

        >>> KubeflowConfig(mounts=(Mount(claim="models", path="/serving"),)).mount_of("/serving/digits").claim
        'models'
        """
        inside = f"{posixpath.normpath(path)}/"
        found = [mount for mount in self.mounts if inside.startswith(f"{mount.path}/")]
        return max(found, key=lambda mount: len(mount.path), default=None)

    def resources_of(self, node: str) -> Resources:
        """What a node may take."""
        return self.resources.get(node) or self.resources.get(DEFAULT_RESOURCES) or Resources()
