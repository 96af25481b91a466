"""Where Kubeflow's launcher keeps what it downloads and uploads: a folder of the pod for each bucket.

Before a step runs, the launcher copies every input from `minio://bucket/key` to `/minio/bucket/key`, and after it every
output back, so that a step needs no library of any object store.
"""

from collections.abc import Collection
from dataclasses import dataclass

FOLDERS = {"gs": "gcs", "minio": "minio", "s3": "s3"}  # of each scheme
PREFIX_VARIABLE = "KFP_LOCAL_PREFIX"  # the environment's, for launchers that cannot write below /; empty in a pod


@dataclass(frozen=True)
class Places:
    """Which URIs have a copy on this machine, and where.

    Attributes:
      prefix: the folder that the launcher's folders are in; "" for the root of the file system.
      schemes: of URIs that have a copy.

    """

    prefix: str = ""
    schemes: Collection[str] = tuple(FOLDERS)

    def has(self, uri: str) -> bool:
        """Whether a URI has a copy here."""
        scheme, separator, _ = uri.partition("://")
        return bool(separator) and scheme in self.schemes

    def local(self, uri: str) -> str:
        """The copy of a URI; a URI that has none, or a path, as it is.

        >>> Places().local("gs://bucket/runs/7")
        '/gcs/bucket/runs/7'
        """
        scheme, _, rest = uri.partition("://")
        return f"{self._folder(scheme)}{rest}" if self.has(uri) else uri

    def remote(self, path: str) -> str:
        """The URI of a copy; what is none, as it is.

        >>> Places().remote("/minio/mlpipeline/runs/7"), Places().remote("/data/7")
        ('minio://mlpipeline/runs/7', '/data/7')
        """
        for scheme in self.schemes:
            folder = self._folder(scheme)
            if path.startswith(folder) and path != folder:
                return f"{scheme}://{path[len(folder) :]}"
        return path

    def _folder(self, scheme: str) -> str:
        return f"{self.prefix}/{FOLDERS[scheme]}/"
