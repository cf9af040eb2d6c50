"""The brain viewer: what it shows of a run, packed for the browser, alone or within the page."""
