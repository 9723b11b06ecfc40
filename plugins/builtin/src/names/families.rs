//! Common family names of countries whose customs change how a name is read: where the family name comes first, and
//! where people have two.
//!
//! Only the commonest are here, as they are written in Latin letters abroad. Words that are common given names elsewhere
//! stay: the order weighs both.

use std::{collections::HashMap, sync::LazyLock};

/// What a family name says about how its bearer's full name is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Custom {
    Chinese,
    Korean,
    Vietnamese,
    Japanese,
    Hungarian,
    /// Two family names, of which the first is used alone.
    Spanish,
    /// Two or more family names, of which the last is used alone.
    Portuguese,
}

impl Custom {
    /// Customs by which the family name comes first.
    pub(super) const FAMILY_FIRST: [Self; 5] =
        [Self::Chinese, Self::Korean, Self::Vietnamese, Self::Japanese, Self::Hungarian];

    /// Whether somebody of this custom may have the family name.
    pub(super) fn has(self, family: &str) -> bool {
        CUSTOMS.get(family).is_some_and(|customs| customs.contains(&self))
    }
}

/// Whether the name is a common one of Spain, Portugal or Latin America.
pub(super) fn is_iberian(family: &str) -> bool {
    Custom::Spanish.has(family) || Custom::Portuguese.has(family)
}

static CUSTOMS: LazyLock<HashMap<&'static str, Vec<Custom>>> = LazyLock::new(|| {
    let mut customs: HashMap<_, Vec<_>> = HashMap::new();
    for (custom, names) in LISTS {
        for name in names.split_ascii_whitespace() {
            customs.entry(name).or_default().push(custom);
        }
    }
    customs
});

const LISTS: [(Custom, &str); 7] = [
    (
        Custom::Chinese,
        "ai an bai bao bi bian bo cai cao cen chai chang chao che chen cheng chi chong chu cui dai dang \
         deng di ding dong dou du duan fan fang fei feng fu gan gao ge geng gong gu guan guo han hao he \
         hong hou hu hua huang huo ji jia jian jiang jiao jin jing kang ke kong kuang lai lan lei leng li \
         lian liang liao lin ling liu long lou lu lv luo ma mao mei meng mi miao min mo mu ni nie ning niu \
         ou ouyang pan pang pei peng pi ping pu qi qian qiang qiao qin qiu qu quan ran ren rong ruan shao \
         shang shen sheng shi shu si sima situ song su sun tan tang tao teng tian tong tu wan wang wei wen \
         weng wu xi xia xiang xiao xie xin xing xiong xu xue yan yang yao ye yi yin ying you yu yuan yue \
         yun zang zeng zha zhai zhan zhang zhao zheng zhong zhou zhu zhuang zhuge zhuo zong zou zuo au chan \
         chau cheung ching chiu chow choy chui chung fok fong fung ho hui hung ip kan keung ko kwan kwok \
         lam lau law lee leung lo loh lok lui luk mak mok ng ngai poon pun shek shum siu so suen sze szeto \
         tai tam to tsang tse tsoi tsui tung wong woo yau yeung yip yiu yuen yung chien chiang chin chou \
         chuang hsiao hsieh hsu hsueh hwang kao kuo lien pai shih sung ting tsai tseng yeh yen goh koh lim \
         neo ong quek seah tay teo toh yeo",
    ),
    (
        Custom::Korean,
        "ahn an bae baek bak ban bang bong byun cha chae chang cheon cho choe choi chon chong chun chung \
         eom eun gang gil go gong gu gwak gwon ha ham han heo hong hur huh hwang hwangbo hyun im jang je \
         jeon jeong ji jin jo joo ju jun jung kang ki kil kim ko koh kong koo ku kwak kwon kye lee lim ma \
         maeng min moon mun myung na nam namgung namkung no noh oh ok pak paik pang park pyo rhee ri rim \
         ryu seo seok seol seong seonwoo shim shin sim sin so sohn son song suh sung tak u um wang wi won \
         woo yang yeo yeom yi yim yoo yoon you youn yu yum yun",
    ),
    (
        Custom::Vietnamese,
        "nguyen tran le pham hoang huynh phan vu vo dang bui do ho ngo duong ly dinh doan trinh truong \
         luong dao mai cao lam ha ta to thai chau quach la luu kieu khuong tong tang quan mac nghiem phung \
         phuong trieu vuong",
    ),
    (
        Custom::Japanese,
        "abe adachi akiyama amano ando aoki aoyama arai araki asano baba chiba doi egawa endo eto fujii \
         fujimoto fujita fujiwara fukuda fukui fukushima furukawa goto hamada hamaguchi hara harada \
         hasegawa hashimoto hattori hayakawa hayashi higuchi hirai hirano hirata honda hori hoshino \
         ichikawa iguchi iida ikeda imai inoue ishida ishihara ishii ishikawa ito itoh iwasaki iwata kamata \
         kanda kaneko kato katoh kawaguchi kawai kawakami kawamura kawasaki kikuchi kimura kishi kitagawa \
         kitamura kobayashi kojima komatsu kondo kono koyama kubo kubota kudo kuroda kurosawa maeda \
         maruyama masuda matsuda matsui matsumoto matsuo matsushita mishima miura miyamoto miyazaki mizuno \
         mochizuki mori morimoto morita murakami murata nagai nagata nakagawa nakai nakajima nakamura \
         nakano nakao nakashima nakata nakayama nishida nishikawa nishimura noda noguchi nomura oda ogawa \
         oguchi ohashi ohno ohta oishi okada okamoto okubo onishi ono oshima ota otani otsuka ozawa saeki \
         saito saitoh sakai sakamoto sakurai sasaki sato satoh sawada seki sekiguchi shibata shimada \
         shimizu shimura shinohara sugawara sugimoto sugiura sugiyama suzuki tachibana taguchi takada \
         takagi takahashi takano takeda takeuchi tamura tanabe tanaka taniguchi terada tsuchiya tsuda tsuji \
         uchida uchiyama ueda ueno wada watanabe yagi yamada yamagami yamaguchi yamamoto yamanaka yamane \
         yamashita yamauchi yamazaki yano yasuda yokoyama yoshida yoshikawa yoshimura",
    ),
    (
        Custom::Hungarian,
        "antal bakos balla balogh balint barta biro bodnar bognar borbely boros csonka deak dudas farkas \
         fazekas fekete feher fodor fulop gal gaspar gulyas halasz hegedus hegyi horvath illes jakab jonas \
         juhasz katona kelemen kerekes kiraly kis kiss kocsis kovacs kozma lakatos laszlo lengyel lukacs \
         magyar major marton matyas meszaros molnar nagy nemes nemeth olah orban orosz orsos pal palinkas \
         pap papp pasztor pinter racz sandor sarkozi simon sipos somogyi szabo szalai szasz szekely \
         szekeres szilagyi szoke szucs szuts takacs tamas torok toth varadi varga vass veres vincze virag \
         voros",
    ),
    (
        Custom::Spanish,
        "acosta acuna aguilar aguirre alonso alvarado alvarez aranda arias avila benitez blanco bravo \
         bustos caballero cabrera calderon calvo campos cano carmona carrasco carrillo castillo castro \
         contreras cordero cordova cortes crespo cruz delgado diaz diez dominguez duran escobar espinosa \
         espinoza esteban estrada fernandez ferrer figueroa flores fuentes gallardo gallego gallegos garcia \
         garrido gil gimenez gomez gonzales gonzalez guerra guerrero gutierrez guzman hernandez herrera \
         herrero hidalgo ibanez iglesias jimenez juarez lara leiva lopez lorenzo lozano luna maldonado \
         marin marquez marti martinez medina mejia mendez mendoza merino miranda molina montero montes mora \
         morales moreno moya munoz navarro nieto nunez ochoa ojeda olivares orozco ortega ortiz osorio \
         padilla parra pastor pena peralta pereira perez pineda pino ponce prieto quintana quintero ramirez \
         ramos reyes rios rivas rivera robles rodriguez rojas roman romero rosales rubio ruiz saez salas \
         salazar salinas salvador sanchez sandoval santamaria santana santiago santos sanz serrano silva \
         solis soria sosa soto suarez tapia toledo torres trujillo valdes valdez valencia valenzuela valle \
         vargas vazquez vasquez vega velasco velasquez velazquez vera vicente vidal villa villanueva \
         villarreal zamora zapata zuniga",
    ),
    (
        Custom::Portuguese,
        "abreu aguiar albuquerque almeida alves amaral amorim andrade antunes araujo azevedo baptista \
         barbosa barros batista bezerra borges branco brito cabral caldeira camargo cardoso carneiro \
         carvalho cavalcante cavalcanti coelho conceicao cordeiro correa correia costa coutinho cunha \
         dantas dias duarte esteves farias faria fernandes ferraz ferreira figueiredo fonseca franca \
         freitas furtado garcia gomes goncalves guerreiro guimaraes leal leite lemos lima lopes lourenco \
         loureiro macedo machado magalhaes maia marques martins matias matos mattos medeiros melo mello \
         mendes mendonca menezes monteiro moraes morais moreira mota moura nascimento neves nogueira novais \
         nunes oliveira pacheco paiva pereira pessoa pimentel pinheiro pinho pinto pires queiroz ramalho \
         rangel rebelo reis resende rezende ribeiro rocha rodrigues sa salgado sampaio santana santos silva \
         silveira simoes soares souza sousa tavares teixeira valente vaz vieira xavier",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_belong_to_several_customs() {
        assert!(Custom::Chinese.has("song") && Custom::Korean.has("song"));
        assert!(Custom::Spanish.has("silva") && Custom::Portuguese.has("silva"));
        assert!(!Custom::Japanese.has("miller") && !is_iberian("miller"));
    }
}
