"""Example: a web page that uploads files directly from the browser to the bucket, and its small server."""
