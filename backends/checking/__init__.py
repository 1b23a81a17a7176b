"""Whether backends agree: inputs drawn, results compared, a report of what differs."""
