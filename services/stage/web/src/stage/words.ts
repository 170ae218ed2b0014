import { type Dictionary, speaker } from "../room/language";

const WORDS = {
  title: ["Lydia 的直播间", "Lydia's room"],
  picture: ["Lydia，来自 2112 年的数字人主播", "Lydia, a virtual host from the year 2112"],
  labelElse: ["AI-generated virtual host", "AI-generated virtual host"],
  connecting: ["连接中…", "Connecting…"],
  live: ["直播中", "Live"],
  lost: ["连接断开，正在重连…", "Connection lost, trying again…"],
  panic: ["直播已暂停", "The show is paused"],
  muted: ["Lydia 已被静音", "Lydia is muted"],
  tap: ["点一下，听她说话", "Tap to hear her"],
  soundOn: ["打开声音", "Turn sound on"],
  soundOff: ["关闭声音", "Turn sound off"],
  wardrobe: ["换形象", "Change her look"],
  chooseFile: ["选择 VRM 文件…", "Choose a VRM file…"],
  wardrobeHint: [
    "也可以把 .vrm 文件拖到画面上。文件只在本机使用。",
    "Or drop a .vrm file on the picture. It stays on this device.",
  ],
  backToLydia: ["换回 Lydia", "Back to Lydia"],
  language: ["English", "中文"],
  feed: ["她在看什么", "What she sees"],
  feedHint: ["写句话试试，她会自己选要回答谁。", "Write something. She chooses whom to answer."],
  answering: ["正在回答", "Answering"],
  thanking: ["正在感谢", "Thanking"],
  yourName: ["你的名字", "Your name"],
  message: ["和她说点什么…", "Say something to her…"],
  send: ["发送", "Send"],
  visitor: ["访客{0}", "Guest {0}"],
  simulated: ["{0} 模拟", "{0} demo"],
  simulatedHint: ["模拟礼物：只是演示，不会扣钱", "A simulated gift, for show: nothing is charged"],
  heart: ["小心心", "Little heart"],
  pill: ["能量药丸", "Energy pill"],
  starship: ["星舰", "Starship"],
  give: ["送出模拟礼物 {0} {1}", "Send a simulated gift: {0} {1}"],
  hidden: ["（消息已隐藏）", "(message hidden)"],
  sent: ["已送达", "delivered"],
  drop: ["松手，让她换上", "Let go and she wears it"],
  wearing: ["正在换装…", "Changing…"],
  notVrm: ["这个文件不是 VRM 模型，她没法穿上。", "That file is not a VRM model; she cannot wear it."],
  tooLarge: ["文件太大（上限 {0} MB）。", "The file is too large (the limit is {0} MB)."],
  noWebGl: ["这台设备没有 3D 图形，先听声音、看字幕吧。", "This device has no 3D graphics: sound and captions go on."],
  refused401: [
    "这个房间需要口令才能发言：请用带 #token= 的链接打开。",
    "This room asks for a token: open it with a link that ends in #token=…",
  ],
  refused413: ["消息太长了。", "That message is too long."],
  refused429: ["发得太快了，歇一下再来。", "Too fast. Take a breath."],
  refused0: ["没有送达：连不上直播间。", "Not delivered: the room cannot be reached."],
  refused: ["没有送达（{0}）。", "Not delivered ({0})."],
} satisfies Dictionary<string>;

export type Word = keyof typeof WORDS;

/** The words of the stage page. */
export const say = speaker(WORDS);
