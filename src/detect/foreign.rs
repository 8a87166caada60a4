//! What C gives only through pointers: a file's parameter sets, and what child processes cost.

use std::time::Duration;

use ffmpeg_next::codec;

/// What a file says once for all of a track's pictures: `avcC`, `hvcC`, or parameter sets with start codes; may be empty.
pub(super) fn extradata(parameters: &codec::Parameters) -> Vec<u8> {
    // SAFETY: the pointer is valid for as long as `parameters`, which owns what it points to. libavcodec promises
    // `extradata_size` bytes at `extradata` if that is not null; they are copied before anything else can touch them.
    #[expect(unsafe_code, reason = "ffmpeg-next has no safe way to these bytes")]
    unsafe {
        let raw = &*parameters.as_ptr();
        match usize::try_from(raw.extradata_size) {
            Ok(size) if !raw.extradata.is_null() => std::slice::from_raw_parts(raw.extradata, size).to_vec(),
            _ => Vec::new(),
        }
    }
}

/// User and system time of all child processes that have ended and were waited for.
pub(super) fn children_cpu() -> Duration {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the kernel writes one `rusage` to where there is room for one; all zeros is a valid one, should it fail.
    #[expect(unsafe_code, reason = "no safe function asks for the children's share")]
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr());
        usage.assume_init()
    };
    let length = |time: libc::timeval| {
        let micros = time.tv_sec.saturating_mul(1_000_000).saturating_add(time.tv_usec);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    };
    length(usage.ru_utime) + length(usage.ru_stime)
}
