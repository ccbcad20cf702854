"""Telecom: what customers can look at and change on their phone."""

from __future__ import annotations

from typing import Any

from agentbench.errors import ToolError
from agentbench.tools.tau2.phone import (
    DEVICE,
    MODES,
    NONE,
    PHONE,
    around,
    change,
    change_around,
    device,
    mms_works,
    search_network,
    speed,
)
from agentbench.tools.tau2.records import Record
from agentbench.tools.tau2.world import World

APN = {"apn_name": "internet", "mms_apn": "mms", "mmsc_url": "http://mms.carrier.com/mms/wapenc"}
"""The carrier's own settings."""
VPN = {"server_address": "192.168.1.1", "protocol": "OpenVPN", "server_performance": "excellent"}


def check_status_bar(world: World) -> Record:
    """What the top of the screen shows."""
    phone = device(world)
    return {
        "airplane_mode": phone["airplane_mode"],
        "signal": phone["network_signal_strength"],
        "network": phone["network_technology_connected"],
        "mobile_data": phone["data_enabled"],
        "data_saver": phone["data_saver_mode"],
        "wifi": phone["wifi_connected"],
        "vpn": phone["vpn_connected"],
        "battery_percent": phone["battery_level"],
    }


def check_network_status(world: World) -> Record:
    """Connections to the cellular network and to Wi-Fi."""
    phone = device(world)
    return {
        "airplane_mode": phone["airplane_mode"],
        "sim_card": check_sim_status(world)["sim_card"],
        "connection": phone["network_connection_status"],
        "signal": phone["network_signal_strength"],
        "network": phone["network_technology_connected"],
        "mobile_data": phone["data_enabled"],
        "data_roaming": phone["roaming_enabled"],
        "wifi": phone["wifi_enabled"],
        "wifi_connected": phone["wifi_connected"],
    }


def check_network_mode_preference(world: World) -> Record:
    """Which kinds of network the phone looks for."""
    return {"network_mode_preference": device(world)["network_mode_preference"]}


def check_sim_status(world: World) -> Record:
    """Whether the SIM card is active, missing or locked."""
    phone = device(world)
    return {"sim_card": "missing" if phone["sim_card_missing"] else phone["sim_card_status"]}


def check_data_restriction_status(world: World) -> Record:
    """Whether data use is held back."""
    return {"data_saver": device(world)["data_saver_mode"]}


def check_apn_settings(world: World) -> Record:
    """Access point names and the address for picture messages."""
    settings = device(world)["active_apn_settings"]
    return {key: settings.get(key) for key in APN}


def check_wifi_status(world: World) -> Record:
    """Whether Wi-Fi is on and connected."""
    phone = device(world)
    return {
        "wifi": phone["wifi_enabled"],
        "connected": phone["wifi_connected"],
        "signal": phone["wifi_signal_strength"],
    }


def check_wifi_calling_status(world: World) -> Record:
    """Whether calls go over Wi-Fi."""
    return {"wifi_calling": device(world)["wifi_calling_enabled"]}


def check_vpn_status(world: World) -> Record:
    """Whether a VPN is connected, and how fast it is."""
    phone = device(world)
    return {"connected": phone["vpn_connected"], "details": phone.get("vpn_details")}


def check_installed_apps(world: World) -> list[str]:
    """Names of the apps on the phone."""
    return list(device(world)["app_statuses"])


def check_app_status(world: World, app_name: str) -> Record:
    """An app and its permissions."""
    return _app(world, app_name)


def check_app_permissions(world: World, app_name: str) -> Record:
    """What an app may do."""
    return _app(world, app_name)["permissions"]


def run_speed_test(world: World) -> Record:
    """How fast mobile data is."""
    found = speed(world)
    return {"mbps": found.mbps, "speed": found.name}


def can_send_mms(world: World) -> Record:
    """Whether the messaging app can send a picture."""
    return {"can_send_mms": mms_works(world)}


def check_payment_request(world: World) -> Record | None:
    """The bill the carrier asks to be paid, if it asks for any."""
    return around(world)["payment_request"]


def make_payment(world: World) -> Record:
    """The bill that was asked for, paid."""
    request = around(world)["payment_request"]
    if request is None:
        raise ToolError("no payment was asked for")
    paid = {**request, "paid": True}
    change_around(world, payment_request=paid)
    return paid


def set_network_mode_preference(world: World, mode: str) -> Record:
    """The phone looks for other networks."""
    if mode not in MODES:
        raise ToolError(f"a mode is one of {list(MODES)}, not {mode!r}")
    change(world, network_mode_preference=mode)
    search_network(world)
    return check_network_status(world)


def toggle_airplane_mode(world: World) -> Record:
    """Airplane mode on or off; on, it cuts Wi-Fi and VPN off too."""
    return airplane_mode(world, not device(world)["airplane_mode"])


def toggle_data(world: World) -> Record:
    """Mobile data on or off."""
    return _toggled(world, "data_enabled", searches=True)


def toggle_roaming(world: World) -> Record:
    """Data roaming on or off."""
    return _toggled(world, "roaming_enabled", searches=True)


def toggle_data_saver_mode(world: World) -> Record:
    """Data saver on or off."""
    return _toggled(world, "data_saver_mode")


def toggle_wifi_calling(world: World) -> Record:
    """Calls over Wi-Fi on or off."""
    return _toggled(world, "wifi_calling_enabled")


def toggle_wifi(world: World) -> Record:
    """Wi-Fi on or off; there is no network it knows."""
    if device(world)["airplane_mode"]:
        raise ToolError("airplane mode is on")
    change(world, wifi_enabled=not device(world)["wifi_enabled"], wifi_connected=False, wifi_signal_strength=NONE)
    return check_wifi_status(world)


def reseat_sim_card(world: World) -> Record:
    """The SIM card, taken out and put in again."""
    change(world, sim_card_missing=False)
    search_network(world)
    return check_sim_status(world)


def set_apn_settings(world: World, apn_settings: Record) -> Record:
    """Other access points."""
    change(world, active_apn_settings={**APN, **apn_settings})
    search_network(world)
    return check_apn_settings(world)


def reset_apn_settings(world: World) -> str:
    """The carrier's access points, from the next start on."""
    world.user.edit(PHONE, DEVICE)["active_apn_settings"]["reset_at_reboot"] = True
    return "The settings are reset when the phone is restarted."


def connect_vpn(world: World) -> Record:
    """A VPN, connected."""
    if device(world)["vpn_connected"]:
        raise ToolError("a VPN is connected already")
    change(world, vpn_connected=True, vpn_details=dict(VPN))
    return check_vpn_status(world)


def disconnect_vpn(world: World) -> Record:
    """No VPN any more."""
    if not device(world)["vpn_connected"]:
        raise ToolError("no VPN is connected")
    change(world, vpn_connected=False, vpn_details=None)
    return check_vpn_status(world)


def grant_app_permission(world: World, app_name: str, permission: str) -> Record:
    """An app may do more."""
    return with_permission(world, app_name, permission, True)


def reboot_device(world: World) -> Record:
    """The phone, started anew: settings that were waiting for it hold."""
    if device(world)["active_apn_settings"].get("reset_at_reboot"):
        change(world, active_apn_settings=dict(APN))
    search_network(world)
    return check_status_bar(world)


def airplane_mode(world: World, on: bool) -> Record:
    """Airplane mode as told."""
    change(world, airplane_mode=on)
    if on:
        off: dict[str, Any] = {"wifi_connected": False, "wifi_signal_strength": NONE}
        change(world, **off, vpn_connected=False, vpn_details=None)
    search_network(world)
    return check_status_bar(world)


def _toggled(world: World, setting: str, *, searches: bool = False) -> Record:
    change(world, **{setting: not device(world)[setting]})
    if searches:
        search_network(world)
    return {setting: device(world)[setting]}


def _app(world: World, app_name: str) -> Record:
    apps = device(world)["app_statuses"]
    if app_name not in apps:
        raise ToolError(f"there is no app {app_name!r}; there are {', '.join(apps)}")
    return apps[app_name]


def with_permission(world: World, app_name: str, permission: str, allowed: bool) -> Record:
    """What an app may do, with one permission as told."""
    known = _app(world, app_name)["permissions"]
    if permission not in known:
        raise ToolError(f"there is no permission {permission!r}; there are {', '.join(known)}")
    permissions = world.user.edit(PHONE, DEVICE)["app_statuses"][app_name]["permissions"]
    permissions[permission] = allowed
    return permissions
