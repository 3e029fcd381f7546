"""A page that uploads to the bucket straight from the browser, and the few lines of server that it needs."""
