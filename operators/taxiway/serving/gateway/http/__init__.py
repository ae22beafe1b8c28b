"""The HTTP side of the gateway: routes, access, limits of connections and bodies."""
