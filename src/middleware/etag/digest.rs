//! MurmurHash3 in its form of 128 bits for 64-bit machines: fast, and the same everywhere.

const C1: u64 = 0x87c3_7b91_1142_53d5;
const C2: u64 = 0x4cf5_ad43_2745_937f;

/// The two halves of the hash with seed 0.
///
/// The standard library's hashers promise no algorithm, so that two builds of an application might not agree on a tag.
pub(super) fn murmur3(bytes: &[u8]) -> (u64, u64) {
    let (mut h1, mut h2) = (0_u64, 0_u64);
    let mut blocks = bytes.chunks_exact(16);
    for block in &mut blocks {
        let (first, second) = words(block);
        h1 = (h1 ^ mixed_first(first)).rotate_left(27).wrapping_add(h2).wrapping_mul(5).wrapping_add(0x52dc_e729);
        h2 = (h2 ^ mixed_second(second)).rotate_left(31).wrapping_add(h1).wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    let tail = blocks.remainder();
    let mut block = [0; 16];
    block[..tail.len()].copy_from_slice(tail);
    // Of no bytes the words are 0, and so is what they are mixed to.
    let (first, second) = words(&block);
    h1 ^= mixed_first(first);
    h2 ^= mixed_second(second);

    h1 ^= bytes.len() as u64;
    h2 ^= bytes.len() as u64;
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    h1 = finished(h1);
    h2 = finished(h2);
    h1 = h1.wrapping_add(h2);
    (h1, h2.wrapping_add(h1))
}

/// Two little-endian numbers of the 16 bytes of a block.
fn words(block: &[u8]) -> (u64, u64) {
    let mut words = [[0; 8]; 2];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(8)) {
        word.copy_from_slice(bytes);
    }
    (u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1]))
}

fn mixed_first(word: u64) -> u64 {
    word.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2)
}

fn mixed_second(word: u64) -> u64 {
    word.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1)
}

fn finished(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::murmur3;

    #[test]
    fn it_is_the_hash_that_others_compute() {
        for (text, first, second) in [
            ("", 0, 0),
            ("hello", 0xcbd8_a7b3_41bd_9b02, 0x5b1e_906a_48ae_1d19),
            ("hello, world", 0x342f_ac62_3a5e_bc8e, 0x4cdc_bc07_9642_414d),
            ("19 Jan 2038 at 3:14:07 AM", 0xb89e_5988_b737_affc, 0x664f_c295_0231_b2cb),
            ("The quick brown fox jumps over the lazy dog.", 0xcd99_481f_9ee9_02c9, 0x695d_a1a3_8987_b6e7),
        ] {
            assert_eq!(murmur3(text.as_bytes()), (first, second), "{text:?}");
        }
    }

    #[test]
    fn every_bit_of_every_byte_counts() {
        let mut hashes = std::collections::HashSet::new();
        for length in 0..70_usize {
            let mut bytes = vec![0; length];
            assert!(hashes.insert(murmur3(&bytes)), "zeros count: {length}");
            for bit in 0..length * 8 {
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert!(hashes.insert(murmur3(&bytes)), "bit {bit} of {length} bytes");
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }
}
