"""The HTTP interface: thin routes over `t2c_service.bootstrap`."""
