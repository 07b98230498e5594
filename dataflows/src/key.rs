//! Comparing keys, which is what most events end in.

/// Whether two keys are the same bytes. As `==`, and faster for keys of 8 to 32 bytes, the usual ones: those take two
/// overlapping comparisons and no call.
#[inline(always)]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match a.len() {
        8..=16 => ends::<8>(a) == ends::<8>(b),
        17..=32 => ends::<16>(a) == ends::<16>(b),
        _ => a == b,
    }
}

/// The first and the last `N` bytes of at least that many.
#[inline(always)]
fn ends<const N: usize>(bytes: &[u8]) -> (Option<&[u8; N]>, Option<&[u8; N]>) {
    (bytes.first_chunk(), bytes.last_chunk())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_same_when_every_byte_is() {
        for length in 0..70usize {
            let key: Vec<u8> = (0..length as u8).collect();
            assert!(same(&key, &key.clone()));
            assert!(!same(&key, &[&key[..], b"x"].concat()));
            for at in 0..length {
                let mut other = key.clone();
                other[at] ^= 1;
                assert!(!same(&key, &other), "length {length}, byte {at}");
            }
        }
    }
}
