"""Example of the component TapStack in a Pulumi program of your own."""
