"""The web page at `/`, served by NiceGUI entirely from this host."""

from t2c_service.page.mount import mount_page

__all__ = ["mount_page"]
