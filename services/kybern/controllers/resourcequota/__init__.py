"""The resourcequota controller: `status` of ResourceQuotas, counted from what is there."""
