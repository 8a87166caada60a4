//! Where the storm rages: in network namespaces, with a card for each device; or, where those are not allowed, on this machine's
//! loopback addresses, where nobody has a card and a camera is known by what it says alone, by mDNS and by ONVIF.

use std::net::SocketAddr;
use std::process::Command;

use crate::house::{self, House};
use crate::support::HEARTHWATCH;

/// One of both.
pub(crate) enum Network {
    Namespaces(House),
    Loopback(Loopback),
}

/// Addresses that this process alone uses, and a port for the recorder's pages.
pub(crate) struct Loopback {
    net: [u8; 3],
    web: SocketAddr,
}

/// The way to the recorder's pages, for a thread.
pub(crate) struct Door(Option<String>);

impl Door {
    /// The sockets that this thread opens from now on are where the recorder is.
    pub(crate) fn enter(&self) {
        if let Some(namespace) = &self.0 {
            house::enter(namespace);
        }
    }
}

impl Network {
    /// Devices with cards of their own, all of them off; or why that is not possible here.
    pub(crate) fn of_namespaces(devices: usize) -> Result<Self, String> {
        House::build(devices).map(Self::Namespaces)
    }

    /// Devices without cards.
    pub(crate) fn of_loopback() -> Self {
        let web = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port");
        let [_, _, high, low] = std::process::id().to_be_bytes();
        // Far from 127.0.x.x, where everything else is.
        Self::Loopback(Loopback { net: [127, 100 + high % 100, low], web })
    }

    /// What is different here, in words.
    pub(crate) fn told(&self) -> &'static str {
        match self {
            Self::Namespaces(_) => "in network namespaces, each device with a card of its own",
            Self::Loopback(_) => {
                "on loopback addresses, with mDNS and ONVIF evidence only: no cards, no neighbour entries, and a device \
                 that goes off ends its connections"
            }
        }
    }

    /// The stream's server of whoever has this address.
    pub(crate) fn address(&self, number: usize) -> SocketAddr {
        let last = 10 + u8::try_from(number).expect("few addresses");
        match self {
            Self::Namespaces(_) => ([10, 77, 0, last], 554).into(),
            // Without namespaces there is often no privilege either, and 554 needs one.
            Self::Loopback(Loopback { net: [a, b, c], .. }) => ([*a, *b, *c, last], 8554).into(),
        }
    }

    /// Where the recorder's pages are.
    pub(crate) fn web(&self) -> SocketAddr {
        match self {
            Self::Namespaces(_) => ([127, 0, 0, 1], 8080).into(),
            Self::Loopback(loopback) => loopback.web,
        }
    }

    /// The way to them.
    pub(crate) fn door(&self) -> Door {
        match self {
            Self::Namespaces(house) => Door(Some(house.recorder())),
            Self::Loopback(_) => Door(None),
        }
    }

    /// Our program on a device.
    pub(crate) fn device(&self, device: usize) -> Command {
        match self {
            Self::Namespaces(house) => house::program_in(&house.device(device), HEARTHWATCH),
            Self::Loopback(_) => Command::new(HEARTHWATCH),
        }
    }

    /// Our program as the recorder.
    pub(crate) fn recorder(&self) -> Command {
        match self {
            Self::Namespaces(house) => {
                let mut command = house::program_in(&house.recorder(), HEARTHWATCH);
                command.arg("run");
                command
            }
            Self::Loopback(_) => {
                let mut command = Command::new(HEARTHWATCH);
                command.args(["run", "--loopback"]);
                command
            }
        }
    }

    /// Takes every device off the network at once, without a word, where there are cables to be cut.
    pub(crate) fn power_cut(&self) {
        if let Self::Namespaces(house) = self {
            house.power_cut();
        }
    }

    /// Brings one device's card back, at this address.
    pub(crate) fn connect(&self, device: usize, address: SocketAddr, announces: bool) {
        if let Self::Namespaces(house) = self {
            house.connect_device(device, &address.ip().to_string(), announces);
        }
    }

    /// Makes the recorder's kernel remember a device of the past at that address; false where kernels remember nobody.
    pub(crate) fn remember(&self, address: SocketAddr, device: usize) -> bool {
        if let Self::Namespaces(house) = self {
            house.remember(&address.ip().to_string(), device);
        }
        matches!(self, Self::Namespaces(_))
    }
}
