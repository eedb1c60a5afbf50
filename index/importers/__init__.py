"""From what others publish to the folder that `pack build` takes: one file a source."""
