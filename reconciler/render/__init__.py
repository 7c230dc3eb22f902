"""Plans, outcomes and statuses as text, JSON and Markdown. Pure: values in, strings out."""
