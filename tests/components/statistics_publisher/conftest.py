from tests.support.stores.fixtures import bucket, store  # noqa: F401 - fixtures
