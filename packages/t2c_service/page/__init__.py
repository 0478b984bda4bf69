"""The page at `/`: NiceGUI, served whole from this host."""

from t2c_service.page.mount import mount_page

__all__ = ["mount_page"]
