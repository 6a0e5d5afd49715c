"""What a room needs of the world, as protocols that adapters implement."""
