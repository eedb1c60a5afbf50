"""Where this user's files live: packs, trusted keys and caches, as the XDG rules say."""

from pathlib import Path

from platformdirs import user_cache_path, user_config_path, user_data_path

APPLICATION = "pixsearch"


def data_folder() -> Path:
    """What the user would miss: installed packs, the memory. `$XDG_DATA_HOME/pixsearch`."""
    return user_data_path(APPLICATION, appauthor=False)


def config_folder() -> Path:
    """What the user decided: trusted keys. `$XDG_CONFIG_HOME/pixsearch`."""
    return user_config_path(APPLICATION, appauthor=False)


def cache_folder() -> Path:
    """What can be made again at any time. `$XDG_CACHE_HOME/pixsearch`."""
    return user_cache_path(APPLICATION, appauthor=False)
