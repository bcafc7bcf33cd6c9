"""The court package: a bundle with all that a court asks about electronic data stored on a chain.

One zip, the same bytes from the same input: the bundle, the trust file it was checked with, its head, both stand-alone
verifiers, a report (PDF and JSON, one content) and a list of digests. The report follows arts. 16 to 19 of
《人民法院在线诉讼规则》: what is stated by whom, which step proves it, the platform's relation to the parties, systems,
algorithms, clocks, what happened before anchoring, witnesses, and what is not proved. The platform writes down what it
knows or has just checked; whatever only the party can know stays open and says 由举证方填写. Nothing is made for a
bundle that does not verify.
"""

from __future__ import annotations

import io
import json
import platform
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from api import verifiers
from api.bootstrap import ROOT, System
from ledger import canonical, checkpoint, verify
from ledger.chain import Chain
from ledger.digest import twin
from ledger.errors import FieldError
from ledger.outbox import HEADS
from ledger.trust import Trust
from ledger.trust import read as read_trust
from registry.calendar import text_of
from registry.document import typeset

FORMAT = "shuqing-court-report/v1"
TEMPLATE = Path(__file__).with_name("court.typ")
OPEN = "由举证方填写"
"""What stands beside every point that only the party can state."""
NO_VERIFIER = "本安装没有构建核验页，包内不含 tools/verifier.html。"

STEPS = {
    "V01": "文件只有一种写法，不含未知字段、重复键或隐藏字符",
    "V02": "文件属于信任文件所列的日志",
    "V03": "陈述、签名、身份事实的形式完整",
    "V04": "全部内容的 SHA-256 与 SM3 双摘要均可重算",
    "V05": "每个签名所签的原文可由内容重建，链与合约一致",
    "V06": "每个签名有效，公钥属于信任文件认可或有权者担保的主体",
    "V07": "应签者均已签署",
    "V08": "事实（及所出示的分项）在日志树中的位置，两种算法分别成立",
    "V09": "树头由日志双签，达到数量的见证方联署",
    "V10": "与独立取得的树头一致（另有树头时）",
    "V11": "链、合约代码、上链摘要、交易与区块均与节点的回答一致",
    "V12": "受理、签头、见证的时间互相吻合（误差不超过 300 秒）",
    "V13": "核验时刻链上合约对该事项状态的回答",
    "V14": "分项属于本事实；全部出示时与所列摘要一致",
}
KINDS = {
    "register-entry/v1": "数据产权登记凭证（登记簿条目）",
    "register-ending/v1": "数据产权注销登记（登记簿终止事项）",
    "agreement-act/v1": "数字合约动作",
    "usage-batch/v1": "使用记录批次",
    "usage-period-close/v1": "使用记录月度截止",
    "usage-heartbeat/v1": "连接器心跳",
    "statement/v1": "清分账单",
    "cycle-closed/v1": "账期关账",
}
STANDARDS = (
    ("摘要", "SHA-256（GB/T 18238.3、FIPS 180-4）；SM3（GB/T 32905-2016）；Keccak-256（以太坊合约）"),
    ("签名", "SM2（GB/T 32918.2-2016，曲线参数 GB/T 32918.5-2017）；Ed25519（RFC 8032）；secp256k1 与 EIP-712"),
    ("内容形式", "规范 JSON（RFC 8785，仅 ASCII 键、无小数）"),
    ("日志与见证", "双摘要 Merkle 树（RFC 9162）；C2SP 签名检查点与联署（cosignature/v1）"),
)
OPEN_POINTS: Mapping[str, Sequence[str]] = {
    "filings": (
        "区块链信息服务备案编号、日期及主管部门",
        "提供区块链存证服务所依据的国家有关部门规定及资质文件、日期",
    ),
    "neutrality": (
        "平台运营方的股权结构与实际控制人",
        "平台运营方、登记机构、见证方与各当事人之间有无利害关系；是否自营",
        "各见证方的组织、人员、机房独立于平台的证明文件",
        "是否存在利用技术手段不当干预取证、存证过程的情形",
    ),
    "systems": (
        "存证技术和过程符合的国家标准或行业标准（技术安全、数据传输等）及证明",
        "网络安全等级保护备案证明与测评报告（编号、日期）",
        "商用密码应用安全性评估报告（编号、日期）",
        "系统环境的清洁性：取证设备与网络检查记录",
        "系统的可用性记录（存证期间的运行、停机与恢复）",
        "历次部署的程序与合约代码摘要及其时间",
        "数据的采集人、所用程序版本、每次移交的时间与经手人",
    ),
    "before": (
        "具体来源：数据由谁、自何处取得，依据何种权利",
        "生成机制：由何系统、何时、按何规则生成；时钟来源",
        "存储过程：上链前存于何处、由谁管理、有无改动",
        "公证机构公证",
        "第三方见证（本报告所列日志见证方以外的）",
        "关联印证数据：对方记录、网关记录、血缘、抽样检验；缺漏与冲突",
    ),
    "expert": ("鉴定所需的原始批次、未公开字段及其盐值由持有方提供", "有专门知识的人或鉴定机构的意见"),
}


def package(bundle: bytes, trust: bytes, system: System, *, at: int) -> bytes:
    """The zip for a bundle's bytes and a trust file's bytes, checked now (`at`, seconds) against the system's chain.

    Raises `FieldError` if the bundle does not verify, and what `ledger.verify` raises when the node does not answer.
    """
    trusted, chain = read_trust(canonical.parse(trust)), system.chain()
    library = verify.verify(bundle, trusted, chain=chain, rules=system.rules)
    files = {"bundle.json": bundle, "trust.json": trust, "tools/verify_bundle.py": verifiers.program()}
    stand_alone = _stand_alone(files, system.settings.rpc_url)
    for who, failed in (
        ("ledger.verify", library.failed.detail if library.failed else ""),
        ("verify_bundle.py", str(stand_alone.get("failed") or stand_alone.get("error", ""))),
    ):
        if failed:
            raise FieldError("bundle", f"{who} 核验通过的证据包 / a bundle that verifies", failed[:300])
    document = canonical.decode(bundle.removesuffix(b"\n"))
    files["head.note"] = "\n".join(document["head"]["note"]).encode()
    try:
        files["tools/verifier.html"] = verifiers.page()
        missing = ""
    except verifiers.NotBuilt:
        missing = NO_VERIFIER
    report = {
        "format": FORMAT,
        "made_at": at,
        "title": "区块链存证电子数据核验报告",
        "subtitle": "参照《人民法院在线诉讼规则》第十六条至第十九条",
        "demo": system.settings.demo,
        "sections": _sections(document, trusted, system, chain, library, stand_alone, at),
        "files": _listed(files),
        "missing": missing,
        "open": OPEN,
        "verification": stand_alone,
    }
    files["report.json"] = json.dumps(report, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"
    inputs = {"report": json.dumps(_printable(report), ensure_ascii=False), "made": text_of(at)}
    files["report.pdf"] = typeset(TEMPLATE, inputs, system.settings.fonts_folder, at)
    files["README.txt"] = _readme(report).encode()
    files["DIGESTS.txt"] = _digest_lines(_listed(files)).encode()
    return _zip(files, at)


def _stand_alone(files: Mapping[str, bytes], rpc: str) -> dict[str, Any]:
    """The report of the stand-alone verifier, run as anybody would run it: its own process, nothing but its file."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / Path(name).name for name in files}
        for name, data in files.items():
            paths[name].write_bytes(data)
        command = [sys.executable, "-I", "-S", str(paths["tools/verify_bundle.py"]), str(paths["bundle.json"])]
        command += ["--trust", str(paths["trust.json"]), "--rpc", rpc, "--json"]
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=120, check=False)
    try:
        return dict(json.loads(done.stdout))
    except ValueError as error:
        said = done.stderr.decode(errors="replace")[-300:]
        raise FieldError("verify_bundle.py", "核验报告 / a report", said) from error


def _sections(
    document: Mapping[str, Any],
    trust: Trust,
    system: System,
    chain: Chain,
    library: verify.Report,
    stand_alone: Mapping[str, Any],
    at: int,
) -> list[dict[str, Any]]:
    """The report's chapters: {"id", "title", "text"?, "rows"?: label and text, "table"?: head and rows}."""
    fact, place = document["fact"], document["chain"]
    statement, head = fact["statement"], checkpoint.parse("\n".join(document["head"]["note"]))[0]
    seen = checkpoint.verify_witnesses("\n".join(document["head"]["note"]), trust.witnesses.keys)
    now, settings = chain.head(), system.settings
    sealed = chain.events(HEADS, "Anchored", first=place["block"], last=place["block"], where={"size": head.size})
    signers = sorted({signature["by"] for signature in fact["signatures"]})
    houses = {f"party:{settings.operator}": "平台运营方", f"party:{settings.agency}": "登记机构"}
    involved = [f"{houses[name]}（{name}）是本事实的签署人" for name in signers if name in houses]
    return [
        {
            "id": "result",
            "title": "一、核验结论",
            "rows": [
                ["完整性", "通过：未发现篡改（INTACT）。两个互相独立的核验程序结论一致。"],
                ["状态", f"{stand_alone['status']}：{stand_alone['reason']}"],
                ["截至", f"{_moment(at)}（本报告制作并核验的时刻）；状态回答的截至时间 {stand_alone['as_of']}"],
                ["信任级别", stand_alone["trust_level"]],
                ["信任文件", f"日志 {trust.origin}，制作于 {_moment(trust.made_at)}；摘要见文件清单，应另行取得比对"],
                ["范围", "完整性、状态、截至时间是三个分别的回答；摘要一致不等于现在有效。"],
            ],
        },
        {
            "id": "statement",
            "title": "二、谁陈述了什么",
            "text": "下列内容是签署人的陈述。核验证明其由列明的公钥签署且未被改动，不证明陈述本身属实。",
            "rows": [
                ["类别", f"{KINDS.get(statement['kind'], '其他事实')}　{statement['kind']}"],
                ["对象", f"{statement['subject']}　第 {statement['no']} 项"],
                ["受理时间", f"{_moment(fact['at'])}（平台时钟）"],
                ["事实摘要", _digests(twin(canonical.encode(fact)).document())],
                ["陈述内容", _short(canonical.encode(statement["body"]).decode(), 1600)],
                *_parts(document),
            ],
            "table": {
                "head": ["签署人", "角色", "算法", "公钥或地址"],
                "widths": [5, 3, 4, 9],
                "rows": [[s["by"], s.get("role", "—"), s["alg"], s["key"]] for s in fact["signatures"]],
            },
        },
        {
            "id": "steps",
            "title": "三、技术核验记录（第十六条、第十七条第一项）",
            "text": f"由 verify_bundle.py 在制作时逐步执行；平台程序 ledger.verify 另行执行同样 {len(library.steps)} 步"
            "并重算类别内容，结果相同。任何人可按第十章重复。",
            "table": {
                "head": ["编号", "所证明的事项", "结果", "依据"],
                "widths": [2, 9, 2, 12],
                "rows": [
                    [step["code"], STEPS[step["code"]], "未询问" if step["ok"] is None else "一致", step["detail"]]
                    for step in stand_alone["steps"]
                ],
            },
        },
        {
            "id": "chain",
            "title": "四、上链事实（第十六条、第十七条第一项）",
            "text": "第十六条：当事人作为证据提交的电子数据系通过区块链技术存储，并经技术核验一致的，"
            "人民法院可以认定该电子数据上链后未经篡改，但有相反证据足以推翻的除外。"
            "下列为上链事实；上链前的真实性见第八章。",
            "rows": [
                ["链", f"编号 {place['chain_id']}；核验时节点最新区块 {now.number}（{_moment(now.time)}）"],
                ["锚定合约", f"{HEADS} {place['contract']}"],
                ["交易与区块", f"{place['tx']}，区块 {place['block']}；同一区块内 Anchored 事件 {len(sealed)} 项"],
                ["树头", f"共 {head.size} 项；签头时间 {_moment(head.at)}；{_digests(head.root.document())}"],
                ["位置", f"本事实为第 {document['entry']['index']} 项（自 0 起）"],
            ],
            "table": {
                "head": ["合约", "地址", "核验时代码 Keccak-256"],
                "widths": [4, 7, 10],
                "rows": [[name, item.address, item.code_keccak256] for name, item in trust.chain.contracts.items()],
            },
            "open": OPEN_POINTS["filings"],
        },
        {
            "id": "neutrality",
            "title": "五、平台中立性（第十七条第二项）",
            "rows": [
                ["平台运营方", f"party:{settings.operator}"],
                ["登记机构", f"{settings.agency_name}　party:{settings.agency}"],
                ["与本事实的关系", "；".join(involved) or "平台运营方与登记机构均不是本事实的签署人（依签名列表判断）"],
                [
                    "谁持有何钥（平台的陈述）",
                    "当事人与见证方各持自己的私钥，平台没有托管功能。本安装保存四把密钥：日志（只签树头）、转递（只支付"
                    "与排序上链交易）、运营方（签账单等运营事项）、登记机构系统（签登记与届期事项）。",
                ],
                [
                    "平台为何不能代写",
                    "缺当事人签名则 V06、V07 不通过；增删、改序、倒填则 V08、V09、V12 不通过；"
                    "两份历史须使达到数量的见证方联署且与链上承诺一致，否则 V09、V11 不通过。",
                ],
            ],
            "table": {
                "head": ["见证方", "联署时间（见证方时钟）", "Ed25519 公钥"],
                "widths": [4, 5, 10],
                "rows": [[name, _moment(when), trust.witnesses.keys[name]] for name, when in seen],
            },
            "note": f"信任文件要求至少 {trust.witnesses.k} 家联署。名称与公钥由信任文件列出，其独立性须另证。",
            "open": OPEN_POINTS["neutrality"],
        },
        {
            "id": "systems",
            "title": "六、系统环境与技术标准（第十七条第三、四项）",
            "rows": [
                ["平台程序", f"ShuQing {version('shuqing')}；程序文件清单摘要 {_digests(_software())}"],
                [
                    "运行环境",
                    f"Python {platform.python_version()}，{platform.system()} {platform.machine()}，"
                    f"数据库 {system.engine.dialect.name}（制作本报告的机器）",
                ],
                *[[name, text] for name, text in STANDARDS],
            ],
            "open": OPEN_POINTS["systems"],
        },
        {
            "id": "times",
            "title": "七、时间与来源",
            "table": {
                "head": ["事项", "时间", "时间来源"],
                "widths": [6, 6, 6],
                "rows": [
                    ["受理（入库）", _moment(fact["at"]), "平台服务器时钟" + _demo_clock(system)],
                    ["签发树头", _moment(head.at), "平台服务器时钟" + _demo_clock(system)],
                    *[[f"见证方 {name} 联署", _moment(when), "见证方自己的时钟"] for name, when in seen],
                    ["核验时的最新区块", _moment(now.time), "链上出块节点的时钟"],
                    ["本报告制作与核验", _moment(at), "平台服务器时钟" + _demo_clock(system)],
                ],
            },
            "note": "各时钟相差不得超过 300 秒（V12）。签署人自称的时间是其陈述。本包不含可信时间戳（RFC 3161）。",
        },
        {
            "id": "before",
            "title": "八、上链前的数据（第十八条）",
            "text": "存证证明自上链之时起的时间与完整性，不证明数据生成时为真。平台只知道包内身份事实所记载的下列内容，"
            "均为其签署人的陈述；其余须由举证方说明并举证。",
            "table": {
                "head": ["身份事实", "记载内容", "担保签署人", "受理时间"],
                "widths": [5, 9, 5, 4],
                "rows": [_identity(item["fact"]) for item in document["supports"]]
                or [["—", "包内没有身份事实：签署人均由信任文件直接列出", "—", "—"]],
            },
            "open": OPEN_POINTS["before"],
        },
        {
            "id": "limits",
            "title": "九、没有证明的事项",
            "list": [
                *stand_alone["not_proved"],
                "签署人背后的自然人及其授权 / who stands behind a key, and by what right",
                "信任文件是否正确：须由法院或对方自平台以外的渠道取得并比对摘要 / whether the trust file is right",
            ],
        },
        {
            "id": "repeat",
            "title": "十、重复核验与鉴定（第十九条）",
            "list": [
                "在任意装有 Python 3.9 以上的机器上："
                "python3 -I tools/verify_bundle.py bundle.json --trust trust.json --rpc 节点地址",
                "没有节点时：以 --head 给出独立取得的树头（包内 head.note 与证据包同源，不能代替独立取得的树头）",
                "或在浏览器中打开 tools/verifier.html，依次选择 bundle.json、信任文件，填写节点地址",
                "核对本报告末页及 DIGESTS.txt 所列各文件的摘要；核验程序的摘要还应与平台以外公布的数值比对",
                "已公开字段的盐值在证据包内；公钥清单在信任文件与证据包的身份事实内",
            ],
            "open": OPEN_POINTS["expert"],
        },
    ]


def _parts(document: Mapping[str, Any]) -> list[list[str]]:
    """Shown parts, disclosed fields by name, and the names of the fields that are withheld."""
    shown, names = document.get("parts", []), document["fact"]["statement"]["body"].get("fields", [])
    rows = []
    for part in shown:
        data = canonical.parse(part["data"].encode())
        field = isinstance(data, dict) and set(data) == {"field", "salt", "value"}
        label = f"公开字段 {data['field']}" if field else f"分项 {part['index']}"
        rows.append([label, _short(canonical.encode(data["value"] if field else data).decode(), 1200)])
    indexes = {part["index"] for part in shown}
    withheld = [str(name) for number, name in enumerate(names) if number not in indexes]
    return [*rows, *([["未公开字段", "、".join(withheld)]] if withheld else [])]


def _identity(fact: Mapping[str, Any]) -> list[str]:
    statement = fact["statement"]
    said = {name: value for name, value in statement["body"].items() if name not in ("sm2", "evm")}
    by = "、".join(sorted({signature["by"] for signature in fact["signatures"]}))
    return [statement["subject"], _short(canonical.encode(said).decode(), 400), by, _moment(fact["at"])]


def _software() -> dict[str, str]:
    """Twin digest of the list "sha256  path" of the program's own source files, in the order of their paths."""
    paths = sorted(
        path for package in ("ledger", "registry", "clearing", "api") for path in (ROOT / package).rglob("*.py")
    )
    lines = [f"{twin(path.read_bytes()).sha256.hex()}  {path.relative_to(ROOT).as_posix()}\n" for path in paths]
    return twin("".join(lines).encode()).document()


def _demo_clock(system: System) -> str:
    return "（演示时钟）" if system.settings.clock_file is not None else ""


def _moment(instant: int) -> str:
    text = text_of(instant)
    return f"{text[:10]} {text[11:19]} {text[19:]}"


def _digests(document: Mapping[str, str]) -> str:
    return f"SHA-256 {document['sha256']}；SM3 {document['sm3']}"


def _short(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}……（全文见 bundle.json）"


def _printable(value: Any) -> Any:
    """The same with every character the font may lack written as its number: no stranger's text stops the press."""
    if isinstance(value, dict):
        return {name: _printable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(item) for item in value]
    return "".join(map(_mark, value)) if isinstance(value, str) else value


def _mark(mark: str) -> str:
    try:
        mark.encode("gbk")
    except UnicodeEncodeError:
        return f"[U+{ord(mark):04X}]"
    return mark


def _listed(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    return [{"name": name, "bytes": len(data), **twin(data).document()} for name, data in sorted(files.items())]


def _digest_lines(files: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        f"{item['name']}\n  字节 bytes {item['bytes']}\n  SHA-256 {item['sha256']}\n  SM3     {item['sm3']}\n"
        for item in files
    ]
    return "本包各文件的摘要（本清单除外） / digests of every file in this package but this list\n\n" + "".join(lines)


def _readme(report: Mapping[str, Any]) -> str:
    return (TEMPLATE.with_name("court.txt").read_text(encoding="utf-8")).replace("{missing}", report["missing"] or "—")


def _zip(files: Mapping[str, bytes], at: int) -> bytes:
    """Stored, in the order of the names, with one time: the same input gives the same bytes anywhere."""
    made, target = datetime.fromtimestamp(at, UTC), io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(
                name, (made.year, made.month, made.day, made.hour, made.minute, made.second // 2 * 2)
            )
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, data)
    return target.getvalue()
