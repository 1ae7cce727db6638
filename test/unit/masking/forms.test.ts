/** What programs print of a secret, byte for byte as they did, and what is left of it in the log. */
import { describe, expect, it } from "vitest";
import { encodings } from "../../../src/masking/encodings.ts";
import { forms } from "../../../src/masking/forms.ts";
import { createMask, maskPatterns } from "../../../src/masking/index.ts";

const value = String.raw`vio&let<lad'der \$x"77é+/~😀`;
const longValue = "one-long-secret-of-more-than-a-line: Q7f/+x9Zk2~";

function masked(secret: string, text: string, length: number): string {
  const mask = createMask(maskPatterns([secret]));
  const bytes = Buffer.from(text);
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += length) out.push(mask.push(bytes.subarray(at, at + length)));
  return Buffer.concat([...out, mask.end()]).toString();
}

/** Who printed it, what, and what stays of it. */
type Sample = readonly [program: string, printed: string, left: string];

const escaped: readonly Sample[] = [
  ["printenv", String.raw`vio&let<lad'der \$x"77é+/~😀`, "***"],
  ["Python urllib quote", "vio%26let%3Clad%27der%20%5C%24x%2277%C3%A9%2B/~%F0%9F%98%80", "***"],
  [
    "Python urllib quote, nothing safe",
    "vio%26let%3Clad%27der%20%5C%24x%2277%C3%A9%2B%2F~%F0%9F%98%80",
    "***",
  ],
  ["Python urllib quote_plus", "vio%26let%3Clad%27der+%5C%24x%2277%C3%A9%2B%2F~%F0%9F%98%80", "***"],
  ["Node encodeURIComponent", "vio%26let%3Clad'der%20%5C%24x%2277%C3%A9%2B%2F~%F0%9F%98%80", "***"],
  ["Node encodeURI", "vio&let%3Clad'der%20%5C$x%2277%C3%A9+/~%F0%9F%98%80", "***"],
  [
    "Node URL with a password",
    "https://x:vio&let%3Clad'der%20%5C$x%2277%C3%A9+%2F~%F0%9F%98%80@h/",
    "https://x:***@h/",
  ],
  ["Node URLSearchParams", "a=vio%26let%3Clad%27der+%5C%24x%2277%C3%A9%2B%2F%7E%F0%9F%98%80", "a=***"],
  ["jq @uri", "vio%26let%3Clad'der%20%5C%24x%2277%C3%A9%2B%2F~%F0%9F%98%80", "***"],
  ["Go json.Marshal", String.raw`"vio\u0026let\u003clad'der \\$x\"77é+/~😀"`, '"***"'],
  ["Go %q", String.raw`"vio&let<lad'der \\$x\"77é+/~😀"`, '"***"'],
  ["Go %+q", String.raw`"vio&let<lad'der \\$x\"77\u00e9+/~\U0001f600"`, '"***"'],
  ["Go url.QueryEscape", "vio%26let%3Clad%27der+%5C%24x%2277%C3%A9%2B%2F~%F0%9F%98%80", "***"],
  ["Go url.PathEscape", "vio&let%3Clad%27der%20%5C$x%2277%C3%A9+%2F~%F0%9F%98%80", "***"],
  ["Go url.UserPassword", "u:vio&let%3Clad%27der%20%5C$x%2277%C3%A9+%2F~%F0%9F%98%80", "u:***"],
  ["Go html.EscapeString", String.raw`vio&amp;let&lt;lad&#39;der \$x&#34;77é+/~😀`, "***"],
  ["Go xml.EscapeText", String.raw`vio&amp;let&lt;lad&#39;der \$x&#34;77é+/~😀`, "***"],
  ["JSON.stringify", String.raw`"vio&let<lad'der \\$x\"77é+/~😀"`, '"***"'],
  ["jq", String.raw`"vio&let<lad'der \\$x\"77é+/~😀"`, '"***"'],
  ["jq -a", String.raw`"vio&let<lad'der \\$x\"77\u00e9+/~\ud83d\ude00"`, '"***"'],
  ["Python json.dumps", String.raw`"vio&let<lad'der \\$x\"77\u00e9+/~\ud83d\ude00"`, '"***"'],
  [
    "Python json.dumps twice",
    String.raw`"\"vio&let<lad'der \\\\$x\\\"77\\u00e9+/~\\ud83d\\ude00\""`,
    '"\\"***\\""',
  ],
  ["Python repr", String.raw`'vio&let<lad\'der \\$x"77é+/~😀'`, "'***'"],
  ["Python ascii", String.raw`'vio&let<lad\'der \\$x"77\xe9+/~\U0001f600'`, "'***'"],
  ["Python bytes", String.raw`b'vio&let<lad\'der \\$x"77\xc3\xa9+/~\xf0\x9f\x98\x80'`, "b'***'"],
  ["Python shlex.quote", String.raw`'vio&let<lad'"'"'der \$x"77é+/~😀'`, "'***'"],
  ["Node console.log of a list", "[ `vio&let<lad'der \\\\$x\"77é+/~😀` ]", "[ `***` ]"],
  ["bash printf %q in C.UTF-8", String.raw`vio\&let\<lad\'der\ \\\$x\"77é+/~😀`, "***"],
  [
    "bash export -p in C.UTF-8",
    String.raw`declare -x PASS="vio&let<lad'der \\\$x\"77é+/~😀"`,
    'declare -x PASS="***"',
  ],
  ["bash set in C.UTF-8", String.raw`PASS='vio&let<lad'\''der \$x"77é+/~😀'`, "PASS='***'"],
  ["bash printf %q in C", String.raw`$'vio&let<lad\'der \\$x"77\303\251+/~\360\237\230\200'`, "$'***'"],
  [
    "bash export -p in C",
    String.raw`declare -x PASS=$'vio&let<lad\'der \\$x"77\303\251+/~\360\237\230\200'`,
    "declare -x PASS=$'***'",
  ],
  ["bash set in C", String.raw`PASS=$'vio&let<lad\'der \\$x"77\303\251+/~\360\237\230\200'`, "PASS=$'***'"],
  ["bash @Q", String.raw`'vio&let<lad'\''der \$x"77é+/~😀'`, "'***'"],
  ["bash set -x", String.raw`+ : 'vio&let<lad'\''der \$x"77é+/~😀'`, "+ : '***'"],
  ["dash export -p", String.raw`export PASS='vio&let<lad'"'"'der \$x"77é+/~😀'`, "export PASS='***'"],
  ["dash set", String.raw`PASS='vio&let<lad'"'"'der \$x"77é+/~😀'`, "PASS='***'"],
  ["jq @sh", String.raw`'vio&let<lad'\''der \$x"77é+/~😀'`, "'***'"],
  ["jq @html", String.raw`vio&amp;let&lt;lad&apos;der \$x&quot;77é+/~😀`, "***"],
  ["Python html.escape", String.raw`vio&amp;let&lt;lad&#x27;der \$x&quot;77é+/~😀`, "***"],
  ["Python XML attribute", String.raw`"vio&amp;let&lt;lad'der \$x&quot;77é+/~😀"`, '"***"'],
  ["PHP json_encode", String.raw`"vio&let<lad'der \\$x\"77\u00e9+\/~\ud83d\ude00"`, '"***"'],
  ["PHP json_encode, Unicode unescaped", String.raw`"vio&let<lad'der \\$x\"77é+\/~😀"`, '"***"'],
  ["Gson", String.raw`"vio\u0026let\u003clad\u0027der \\$x\"77é+/~😀"`, '"***"'],
  [
    ".NET JsonSerializer",
    String.raw`"vio\u0026let\u003Clad\u0027der \\$x\u002277\u00E9\u002B/~\uD83D\uDE00"`,
    '"***"',
  ],
  ["SQL and YAML", String.raw`'vio&let<lad''der \$x"77é+/~😀'`, "'***'"],
];

const encoded: readonly Sample[] = [
  ["base64", "b25lLWxvbmctc2VjcmV0LW9mLW1vcmUtdGhhbi1hLWxpbmU6IFE3Zi8reDlaazJ+\n", "***\n"],
  ["base64 -w 64", "b25lLWxvbmctc2VjcmV0LW9mLW1vcmUtdGhhbi1hLWxpbmU6IFE3Zi8reDlaazJ+\n", "***\n"],
  ["base64 -w 20", "b25lLWxvbmctc2VjcmV0\nLW9mLW1vcmUtdGhhbi1h\nLWxpbmU6IFE3Zi8reDla\nazJ+\n", "***\n"],
  ["openssl enc -base64", "b25lLWxvbmctc2VjcmV0LW9mLW1vcmUtdGhhbi1hLWxpbmU6IFE3Zi8reDlaazJ+\n", "***\n"],
  [
    "xxd -p",
    "6f6e652d6c6f6e672d7365637265742d6f662d6d6f72652d7468616e2d61\n2d6c696e653a205137662f2b78395a6b327e\n",
    "***\n",
  ],
  [
    "xxd",
    "00000000: 6f6e 652d 6c6f 6e67 2d73 6563 7265 742d  one-long-secret-\n00000010: 6f66 2d6d 6f72 652d 7468 616e 2d61 2d6c  of-more-than-a-l\n00000020: 696e 653a 2051 3766 2f2b 7839 5a6b 327e  ine: Q7f/+x9Zk2~\n",
    "00000000: ***\n",
  ],
  [
    "xxd -u",
    "00000000: 6F6E 652D 6C6F 6E67 2D73 6563 7265 742D  one-long-secret-\n00000010: 6F66 2D6D 6F72 652D 7468 616E 2D61 2D6C  of-more-than-a-l\n00000020: 696E 653A 2051 3766 2F2B 7839 5A6B 327E  ine: Q7f/+x9Zk2~\n",
    "00000000: ***\n",
  ],
  [
    "xxd -i",
    "  0x6f, 0x6e, 0x65, 0x2d, 0x6c, 0x6f, 0x6e, 0x67, 0x2d, 0x73, 0x65, 0x63,\n  0x72, 0x65, 0x74, 0x2d, 0x6f, 0x66, 0x2d, 0x6d, 0x6f, 0x72, 0x65, 0x2d,\n  0x74, 0x68, 0x61, 0x6e, 0x2d, 0x61, 0x2d, 0x6c, 0x69, 0x6e, 0x65, 0x3a,\n  0x20, 0x51, 0x37, 0x66, 0x2f, 0x2b, 0x78, 0x39, 0x5a, 0x6b, 0x32, 0x7e\n",
    "  0x***\n",
  ],
  [
    "od -An -tx1",
    " 6f 6e 65 2d 6c 6f 6e 67 2d 73 65 63 72 65 74 2d\n 6f 66 2d 6d 6f 72 65 2d 74 68 61 6e 2d 61 2d 6c\n 69 6e 65 3a 20 51 37 66 2f 2b 78 39 5a 6b 32 7e\n",
    " ***\n",
  ],
  [
    "od -tx1",
    "0000000 6f 6e 65 2d 6c 6f 6e 67 2d 73 65 63 72 65 74 2d\n0000020 6f 66 2d 6d 6f 72 65 2d 74 68 61 6e 2d 61 2d 6c\n0000040 69 6e 65 3a 20 51 37 66 2f 2b 78 39 5a 6b 32 7e\n0000060\n",
    "0000000 ***\n0000060\n",
  ],
  [
    "od -x",
    "0000000 6e6f 2d65 6f6c 676e 732d 6365 6572 2d74\n0000020 666f 6d2d 726f 2d65 6874 6e61 612d 6c2d\n0000040 6e69 3a65 5120 6637 2b2f 3978 6b5a 7e32\n0000060\n",
    "0000000 ***\n0000060\n",
  ],
  [
    "od -b",
    "0000000 157 156 145 055 154 157 156 147 055 163 145 143 162 145 164 055\n0000020 157 146 055 155 157 162 145 055 164 150 141 156 055 141 055 154\n0000040 151 156 145 072 040 121 067 146 057 053 170 071 132 153 062 176\n0000060\n",
    "0000000 ***\n0000060\n",
  ],
  [
    "od -An -tu1",
    " 111 110 101  45 108 111 110 103  45 115 101  99 114 101 116  45\n 111 102  45 109 111 114 101  45 116 104  97 110  45  97  45 108\n 105 110 101  58  32  81  55 102  47  43 120  57  90 107  50 126\n",
    " ***\n",
  ],
  [
    "hexdump",
    "0000000 6e6f 2d65 6f6c 676e 732d 6365 6572 2d74\n0000010 666f 6d2d 726f 2d65 6874 6e61 612d 6c2d\n0000020 6e69 3a65 5120 6637 2b2f 3978 6b5a 7e32\n0000030\n",
    "0000000 ***\n0000030\n",
  ],
  [
    "hexdump -C",
    "00000000  6f 6e 65 2d 6c 6f 6e 67  2d 73 65 63 72 65 74 2d  |one-long-secret-|\n00000010  6f 66 2d 6d 6f 72 65 2d  74 68 61 6e 2d 61 2d 6c  |of-more-than-a-l|\n00000020  69 6e 65 3a 20 51 37 66  2f 2b 78 39 5a 6b 32 7e  |ine: Q7f/+x9Zk2~|\n00000030\n",
    "00000000  ***\n00000030\n",
  ],
  [
    "od",
    "0000000 067157 026545 067554 063556 071455 061545 062562 026564\n0000020 063157 066455 071157 026545 064164 067141 060455 066055\n0000040 067151 035145 050440 063067 025457 034570 065532 077062\n0000060\n",
    "0000000 ***\n0000060\n",
  ],
  [
    "od, behind a character",
    "0000000 067570 062556 066055 067157 026547 062563 071143 072145\n0000020 067455 026546 067555 062562 072055 060550 026556 026541\n0000040 064554 062556 020072 033521 027546 074053 055071 031153\n0000060 000176\n0000061\n",
    "0000000 067570 ***\n0000060 000176\n0000061\n",
  ],
  [
    "od -c",
    "0000000   o   n   e   -   l   o   n   g   -   s   e   c   r   e   t   -\n0000020   o   f   -   m   o   r   e   -   t   h   a   n   -   a   -   l\n0000040   i   n   e   :       Q   7   f   /   +   x   9   Z   k   2   ~\n0000060\n",
    "0000000   ***\n0000060\n",
  ],
  [
    "od -a",
    "0000000   o   n   e   -   l   o   n   g   -   s   e   c   r   e   t   -\n0000020   o   f   -   m   o   r   e   -   t   h   a   n   -   a   -   l\n0000040   i   n   e   :  sp   Q   7   f   /   +   x   9   Z   k   2   ~\n0000060\n",
    "0000000   ***\n0000060\n",
  ],
  [
    "od -d",
    "0000000 28271 11621 28524 26478 29485 25445 25970 11636\n0000020 26223 27949 29295 11621 26740 28257 24877 27693\n0000040 28265 14949 20768 26167 11055 14712 27482 32306\n0000060\n",
    "0000000 ***\n0000060\n",
  ],
  [
    "od -tx4",
    "0000000 2d656e6f 676e6f6c 6365732d 2d746572\n0000020 6d2d666f 2d65726f 6e616874 6c2d612d\n0000040 3a656e69 66375120 39782b2f 7e326b5a\n0000060\n",
    "0000000 ***\n0000060\n",
  ],
  [
    "od -tx8",
    "0000000 676e6f6c2d656e6f 2d7465726365732d\n0000020 2d65726f6d2d666f 6c2d612d6e616874\n0000040 663751203a656e69 7e326b5a39782b2f\n0000060\n",
    "0000000 ***\n0000060\n",
  ],
  [
    "od -tx1z",
    "0000000 6f 6e 65 2d 6c 6f 6e 67 2d 73 65 63 72 65 74 2d  >one-long-secret-<\n0000020 6f 66 2d 6d 6f 72 65 2d 74 68 61 6e 2d 61 2d 6c  >of-more-than-a-l<\n0000040 69 6e 65 3a 20 51 37 66 2f 2b 78 39 5a 6b 32 7e  >ine: Q7f/+x9Zk2~<\n0000060\n",
    "0000000 ***\n0000060\n",
  ],
  [
    "hexdump -x",
    "0000000    6e6f    2d65    6f6c    676e    732d    6365    6572    2d74\n0000010    666f    6d2d    726f    2d65    6874    6e61    612d    6c2d\n0000020    6e69    3a65    5120    6637    2b2f    3978    6b5a    7e32\n0000030\n",
    "0000000    ***\n0000030\n",
  ],
  [
    "hexdump -d",
    "0000000   28271   11621   28524   26478   29485   25445   25970   11636\n0000010   26223   27949   29295   11621   26740   28257   24877   27693\n0000020   28265   14949   20768   26167   11055   14712   27482   32306\n0000030\n",
    "0000000   ***\n0000030\n",
  ],
  [
    "hexdump -o",
    "0000000  067157  026545  067554  063556  071455  061545  062562  026564\n0000010  063157  066455  071157  026545  064164  067141  060455  066055\n0000020  067151  035145  050440  063067  025457  034570  065532  077062\n0000030\n",
    "0000000  ***\n0000030\n",
  ],
  [
    "hexdump -c",
    "0000000   o   n   e   -   l   o   n   g   -   s   e   c   r   e   t   -\n0000010   o   f   -   m   o   r   e   -   t   h   a   n   -   a   -   l\n0000020   i   n   e   :       Q   7   f   /   +   x   9   Z   k   2   ~\n0000030\n",
    "0000000   ***\n0000030\n",
  ],
  [
    "xxd -e",
    "00000000: 2d656e6f 676e6f6c 6365732d 2d746572  one-long-secret-\n00000010: 6d2d666f 2d65726f 6e616874 6c2d612d  of-more-than-a-l\n00000020: 3a656e69 66375120 39782b2f 7e326b5a  ine: Q7f/+x9Zk2~\n",
    "00000000: ***\n",
  ],
  [
    "xxd -b",
    "00000000: 01101111 01101110 01100101 00101101 01101100 01101111  one-lo\n00000006: 01101110 01100111 00101101 01110011 01100101 01100011  ng-sec\n0000000c: 01110010 01100101 01110100 00101101 01101111 01100110  ret-of\n00000012: 00101101 01101101 01101111 01110010 01100101 00101101  -more-\n00000018: 01110100 01101000 01100001 01101110 00101101 01100001  than-a\n0000001e: 00101101 01101100 01101001 01101110 01100101 00111010  -line:\n00000024: 00100000 01010001 00110111 01100110 00101111 00101011   Q7f/+\n0000002a: 01111000 00111001 01011010 01101011 00110010 01111110  x9Zk2~\n",
    "00000000: ***\n",
  ],
  [
    "Python list of bytes",
    "[111, 110, 101, 45, 108, 111, 110, 103, 45, 115, 101, 99, 114, 101, 116, 45, 111, 102, 45, 109, 111, 114, 101, 45, 116, 104, 97, 110, 45, 97, 45, 108, 105, 110, 101, 58, 32, 81, 55, 102, 47, 43, 120, 57, 90, 107, 50, 126]",
    "[***]",
  ],
  [
    "Python hex with colons",
    "6f:6e:65:2d:6c:6f:6e:67:2d:73:65:63:72:65:74:2d:6f:66:2d:6d:6f:72:65:2d:74:68:61:6e:2d:61:2d:6c:69:6e:65:3a:20:51:37:66:2f:2b:78:39:5a:6b:32:7e",
    "***",
  ],
  [
    String.raw`Python \x`,
    String.raw`\x6f\x6e\x65\x2d\x6c\x6f\x6e\x67\x2d\x73\x65\x63\x72\x65\x74\x2d\x6f\x66\x2d\x6d\x6f\x72\x65\x2d\x74\x68\x61\x6e\x2d\x61\x2d\x6c\x69\x6e\x65\x3a\x20\x51\x37\x66\x2f\x2b\x78\x39\x5a\x6b\x32\x7e`,
    "\\x***",
  ],
  [
    "Node Buffer",
    "<Buffer 6f 6e 65 2d 6c 6f 6e 67 2d 73 65 63 72 65 74 2d 6f 66 2d 6d 6f 72 65 2d 74 68 61 6e 2d 61 2d 6c 69 6e 65 3a 20 51 37 66 2f 2b 78 39 5a 6b 32 7e>",
    "<Buffer ***>",
  ],
  ["Node base64url", "b25lLWxvbmctc2VjcmV0LW9mLW1vcmUtdGhhbi1hLWxpbmU6IFE3Zi8reDlaazJ-", "***"],
  [
    "Go bytes",
    "[111 110 101 45 108 111 110 103 45 115 101 99 114 101 116 45 111 102 45 109 111 114 101 45 116 104 97 110 45 97 45 108 105 110 101 58 32 81 55 102 47 43 120 57 90 107 50 126]",
    "[***]",
  ],
];

describe.each([
  [value, escaped],
  [longValue, encoded],
] as const)("of %j", (secret, samples) => {
  describe.each([1, 3, 64, 1_000_000])("in chunks of %i bytes", (length) => {
    it.each(samples)("%s is masked", (_, printed, left) => {
      expect(masked(secret, printed, length)).toBe(left);
    });
  });
});

describe("each row of the tables is what some program prints", () => {
  const printed = (samples: readonly Sample[]) =>
    Buffer.from(samples.map(([, text]) => text).join("\n")).toString("latin1");
  it.each(forms.map((form) => [form.name, form] as const))("%s", (_, form) => {
    const text = printed(escaped) + printed(encoded);
    expect([...form.encode(value), ...form.encode(longValue)].some((one) => text.includes(one))).toBe(true);
  });
  it.each(encodings.map((encoding) => [encoding.name, encoding] as const))("%s", (_, encoding) => {
    // Of what is written in lines the first few characters are enough to tell it.
    const starts = encoding.encode(Buffer.from(longValue)).map((one) => one.slice(0, 32));
    expect(starts.some((one) => printed(encoded).includes(one))).toBe(true);
  });
});

describe("a line of an encoding is masked by itself", () => {
  const key = "one-long-secret-of-more-than-a-line-".repeat(6);
  const wrapped = (text: string, columns: number) => text.match(new RegExp(`.{1,${columns}}`, "g")) ?? [];
  it.each([
    ["base64", 64],
    ["base64", 76],
    ["hex", 32],
    ["hex", 60],
  ] as const)("%s in %i columns", (encoding, columns) => {
    const lines = wrapped(Buffer.from(key).toString(encoding), columns);
    expect(lines.slice(1, -1).map((line) => masked(key, `> ${line}\n`, 7))).toEqual(
      lines.slice(1, -1).map(() => "> ***\n"),
    );
    for (const end of ["\n", "\r\n", "\n    "])
      expect(masked(key, `key: ${lines.join(end)}\nnext\n`, 5)).toMatch(/^key: \*\*\*=*\nnext\n$/);
  });

  it("also where a value is shorter than a line and stands across its end", () => {
    for (const before of [0, 1, 2, 3, 47, 50, 53, 54, 55, 56]) {
      const text = wrapped(
        Buffer.from(`${"-".repeat(before)}hunter2-x and more`).toString("base64"),
        76,
      ).join("\n");
      const left = masked("hunter2-x", `${text}\n`, 3).split("***");
      expect(left, text).toHaveLength(2);
      expect(Buffer.from(left.join(""), "base64").toString("latin1")).not.toMatch(/unte|nter|ter2|er2-/);
    }
  });
});

describe("a dump of something that a value is a part of", () => {
  const key = "ghp_Zz91QkWmN4tRbX7pLs2VdY8c";
  const lines = (text: string) => text.match(/.{1,16}/gs) ?? [];
  const hex = (line: string) => Buffer.from(line).toString("hex");
  const grouped = (line: string) => (hex(line).match(/.{1,4}/g) ?? []).join(" ").padEnd(39);
  const single = (line: string) => (hex(line).match(/../g) ?? []).join(" ").padEnd(47);
  const apart = (line: string) => [...line].map((one) => one.padStart(3)).join(" ");
  const dump = (text: string, print: (line: string) => string) =>
    lines(text)
      .map((line, at) => `${(at * 16).toString(16).padStart(8, "0")}: ${print(line)}\n`)
      .join("");
  it.each([
    ["xxd", (line: string) => `${grouped(line)}  ${line}`],
    ["xxd -g1", (line: string) => `${single(line)}  ${line}`],
    ["hexdump -C", (line: string) => `${single(line)}  |${line}|`],
    ["od -tx1z", (line: string) => `${single(line)}  >${line}<`],
    ["od -c", apart],
  ] as const)("of %s shows no four characters of it, at whatever place of a line it begins", (_, print) => {
    for (let before = 0; before < 16; before += 1) {
      const text = dump(`${"-".repeat(before)}${key} --end--`, print);
      for (const length of [1, 5, 1_000]) {
        const left = masked(key, text, length);
        const shown = Array.from({ length: key.length - 3 }, (__, at) => key.slice(at, at + 4));
        const parts = shown.flatMap((part) => [part, hex(part), single(part).trim(), apart(part)]);
        expect(parts.filter((part) => left.includes(part))).toEqual([]);
        expect(left).toContain("***");
      }
    }
  });
});

describe("lines of a document", () => {
  const document = `{
    "kind": "robot",
      
    },
----------
apiVersion: v1
kind: Config
clusters:
- name: a
    "pass_word": "violet-ladder-77",
    password: hunter2
  token = "aB3dE6"
-----BEGIN RSA PRIVATE KEY-----
MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDDapyG2J5LcjQm
mY0pQ2xkc3M=
-----END RSA PRIVATE KEY-----
}`;
  it.each([
    ['"pass_word": "violet-ladder-77"', "***"],
    ['  "pass_word":"violet-ladder-77"}', "  ***}"],
    ["password: hunter2", "***"],
    ['x token = "aB3dE6" y', "x *** y"],
    ["MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDDapyG2J5LcjQm\n", "***\n"],
    ["mY0pQ2xkc3M=\n", "***\n"],
    [document, "***"],
    [document.replaceAll("\n", "\r\n"), expect.not.stringMatching(/violet|MIIE/)],
  ])("that tell something are masked however they are indented: %j", (printed, left) => {
    expect(masked(document, printed, 7)).toEqual(left);
  });

  it.each([
    "name      size      owner\n",
    '{\n  "a": {\n    "b": {\n    },\n  }\n}\n',
    "----------\n",
    "apiVersion: v1\nkind: Config\nclusters:\n- name: a\n",
    '"kind": "robot",\n',
    "-----BEGIN RSA PRIVATE KEY-----\n",
    "00000000: 2020 2020 2020 2020 2020 2020 2020 2020                  \n",
    `${Buffer.from(" ".repeat(60)).toString("base64")}\n`,
  ])("that ordinary output has as well are not: %j", (printed) => {
    expect(masked(document, printed, 1_000)).toBe(printed);
  });

  it("hide a key that stands in a JSON document as one string", () => {
    const key =
      "-----BEGIN PRIVATE KEY-----\nMIIEvgIBADANBgkqhkiG9w0\nAQEFAASCBKgwggSkAgEAAoI\n-----END PRIVATE KEY-----\n";
    const account = JSON.stringify({ type: "service_account", private_key: key }, null, 2);
    expect(masked(account, `got ${key}`, 9)).not.toMatch(/MIIE|AQEF/);
  });
});

describe("what a mask costs", () => {
  it("does not grow with the length of a value that almost matches", () => {
    const mask = createMask(maskPatterns([`${"a".repeat(30_000)}b`]));
    const chunk = Buffer.alloc(1 << 20, "a");
    const before = process.cpuUsage();
    for (let chunks = 0; chunks < 4; chunks += 1) mask.push(chunk);
    mask.end();
    expect(process.cpuUsage(before).user).toBeLessThan(4_000_000);
  });

  it("does not grow with the length of a match that is none", () => {
    const mask = createMask(maskPatterns([`\n${"0".repeat(4_000)}\nsecret1234AB`]));
    const log = "30".repeat(20_000);
    const before = process.cpuUsage();
    const out = Buffer.concat([
      mask.push(Buffer.from(`${log}0a73656372657431323334`)),
      mask.push(Buffer.from("4142\n")),
      mask.end(),
    ]);
    expect(process.cpuUsage(before).user).toBeLessThan(4_000_000);
    expect(out.toString()).toMatch(/^(30)*\*\*\*\n$/);
  });
});
