"""A page that trains in the browser: what it needs is built here, what it does is in page/."""
