//! What a footage file says about itself: which camera, which installation, which segment, which moment.

use crate::units::{CameraId, InstallationId, SegmentId, UtcMicros};

/// The extended type of the `uuid` box that carries a [`Provenance`]; the box's body goes on with [`Provenance::encode`].
pub const PROVENANCE_UUID: [u8; 16] =
    [0x8f, 0x34, 0x46, 0x64, 0x3e, 0xe8, 0x42, 0x25, 0xa7, 0x25, 0xb1, 0xc4, 0x9c, 0xa3, 0xee, 0x53];

/// The layout that follows; a reader refuses any other.
const VERSION: u8 = 1;
/// Version, installation, segment, start, length of the camera's id.
const FIXED_LEN: usize = 1 + 16 + 8 + 8 + 1;

/// Which camera, installation and moment a file belongs to. Never changed after the file was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// Whose pictures these are.
    pub camera: CameraId,
    /// Who recorded them.
    pub installation: InstallationId,
    /// The segment's row.
    pub segment: SegmentId,
    /// The moment of the file's zero.
    pub start: UtcMicros,
}

/// Why bytes are no provenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProvenanceError {
    /// Made by a newer program.
    #[error("provenance has layout {0}, which this version does not know; use the version that wrote the file")]
    Version(u8),
    /// Too short, too long, or not a camera's id.
    #[error("provenance is damaged")]
    Damaged,
}

impl Provenance {
    /// Version (1 byte), installation (16), segment (8), start in µs (8, signed), length of the camera's id (1), the id
    /// itself; numbers big-endian.
    pub fn encode(&self) -> Vec<u8> {
        let camera = self.camera.as_str().as_bytes();
        let mut out = Vec::with_capacity(FIXED_LEN + camera.len());
        out.push(VERSION);
        out.extend_from_slice(&self.installation.to_bytes());
        out.extend_from_slice(&self.segment.to_bytes());
        out.extend_from_slice(&self.start.0.to_be_bytes());
        // A camera's id has at most 40 bytes.
        out.push(u8::try_from(camera.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(camera);
        out
    }

    /// The body of the `uuid` box behind [`PROVENANCE_UUID`]. Nothing may follow it.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProvenanceError> {
        let (&version, rest) = bytes.split_first().ok_or(ProvenanceError::Damaged)?;
        if version != VERSION {
            return Err(ProvenanceError::Version(version));
        }
        let (installation, rest) = rest.split_first_chunk().ok_or(ProvenanceError::Damaged)?;
        let (segment, rest) = rest.split_first_chunk().ok_or(ProvenanceError::Damaged)?;
        let (start, rest) = rest.split_first_chunk().ok_or(ProvenanceError::Damaged)?;
        let (&camera_len, camera) = rest.split_first().ok_or(ProvenanceError::Damaged)?;
        if camera.len() != usize::from(camera_len) {
            return Err(ProvenanceError::Damaged);
        }
        let camera = std::str::from_utf8(camera).map_err(|_| ProvenanceError::Damaged)?;
        Ok(Self {
            camera: camera.parse().map_err(|_| ProvenanceError::Damaged)?,
            installation: InstallationId::from_random(*installation),
            segment: SegmentId::from_random(*segment),
            start: UtcMicros(i64::from_be_bytes(*start)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn provenances() -> impl Strategy<Value = Provenance> {
        ("[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", any::<[u8; 16]>(), any::<[u8; 8]>(), any::<i64>()).prop_map(
            |(camera, installation, segment, start)| Provenance {
                camera: camera.parse().expect("an id"),
                installation: InstallationId::from_random(installation),
                segment: SegmentId::from_random(segment),
                start: UtcMicros(start),
            },
        )
    }

    proptest! {
        #[test]
        fn provenance_survives_the_file(provenance in provenances()) {
            prop_assert_eq!(Provenance::decode(&provenance.encode()), Ok(provenance));
        }

        #[test]
        fn hostile_bytes_are_refused_or_read_but_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            if let Ok(provenance) = Provenance::decode(&bytes) {
                prop_assert_eq!(provenance.encode(), bytes);
            }
        }

        #[test]
        fn a_damaged_length_is_noticed(provenance in provenances(), cut in 0..80usize) {
            let mut bytes = provenance.encode();
            bytes.truncate(bytes.len().saturating_sub(1 + cut));
            prop_assert_eq!(Provenance::decode(&bytes), Err(ProvenanceError::Damaged));
            let mut bytes = provenance.encode();
            bytes.push(b'a');
            prop_assert_eq!(Provenance::decode(&bytes), Err(ProvenanceError::Damaged));
        }
    }
}
