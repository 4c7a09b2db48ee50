"""The atlas over HTTP: REST and the page."""
